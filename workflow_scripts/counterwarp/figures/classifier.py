"""ROC curve and confusion of the classifier."""

import numpy as np
import pandas as pd

from counterwarp.figures.style import GREY, figure

NAMES = {
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "auc": "Area under the curve",
}


def roc_curve(logits: np.ndarray, is_patient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of controls and of patients above every threshold, from the highest: shape (thresholds + 2,) each."""
    thresholds = np.concatenate([[np.inf], np.unique(logits)[::-1], [-np.inf]])
    above = logits[None, :] >= thresholds[:, None]
    return above[:, ~is_patient].mean(1), above[:, is_patient].mean(1)


def classifier_figure(logits: pd.DataFrame, scores: pd.DataFrame):
    """ROC of every seed, confusion of the first, and the scores with their intervals.

    Args:
        logits: seed, scan, group, logit of the test subjects, one row a subject and seed.
        scores: seed, split, metric, value, low, high.
    """
    seeds = list(logits["seed"].unique())
    drawn = figure(10, 3.4)
    roc, confusion, intervals = drawn.subplots(1, 3, width_ratios=[1, 0.85, 1.15])
    for seed in seeds:
        part = logits[logits["seed"] == seed]
        false, true = roc_curve(part["logit"].to_numpy(), (part["group"] == "patient").to_numpy())
        roc.plot(false, true, color="#0072B2", alpha=1 if seed == seeds[0] else 0.4, clip_on=False)
    roc.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1)
    roc.set(xlabel="False positives (1 - specificity)", ylabel="True positives (sensitivity)", aspect="equal")
    roc.set(xlim=(0, 1), ylim=(0, 1), title="ROC, test subjects" + ("" if len(seeds) == 1 else f", {len(seeds)} seeds"))
    area = _score(scores, seeds[0], "auc")
    roc.text(0.97, 0.05, f"AUC {area.value:.2f}\n[{area.low:.2f}, {area.high:.2f}]", ha="right", va="bottom")
    _draw_confusion(confusion, logits[logits["seed"] == seeds[0]], scores, seeds[0])
    _draw_intervals(intervals, scores, seeds)
    return drawn


def _score(scores: pd.DataFrame, seed, metric: str):
    wanted = (scores["seed"] == seed) & (scores["split"] == "test") & (scores["metric"] == metric)
    return next(scores[wanted].itertuples())


def _draw_confusion(axes, logits: pd.DataFrame, scores: pd.DataFrame, seed) -> None:
    groups = ("control", "patient")
    called = np.where(logits["logit"] > 0, "patient", "control")
    counts = np.array([[np.sum((logits["group"] == true) & (called == said)) for said in groups] for true in groups])
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(2, 2):
        axes.text(
            j, i, counts[i, j], ha="center", va="center", fontsize=14, color="white" if shares[i, j] > 0.5 else "black"
        )
    names = [f"{name}s" for name in groups]
    axes.set(xticks=[0, 1], xticklabels=names)
    axes.set_yticks([0, 1], names, rotation=90, va="center")
    axes.set(xlabel="Classified as", ylabel="Truly", title=f"Test subjects (seed {seed})")


def _draw_intervals(axes, scores: pd.DataFrame, seeds: list) -> None:
    for place, metric in enumerate(NAMES):
        for number, seed in enumerate(seeds):
            row = _score(scores, seed, metric)
            y = place + 0.5 * (number - (len(seeds) - 1) / 2) / max(len(seeds), 1)
            axes.plot([row.low, row.high], [y, y], color="#0072B2", linewidth=2)
            axes.plot(row.value, y, "o", color="#0072B2", markersize=5, clip_on=False)
        first = _score(scores, seeds[0], metric)
        axes.text(1.03, place, f"{first.value:.2f} [{first.low:.2f}, {first.high:.2f}]", va="center", clip_on=False)
    axes.axvline(0.5, color=GREY, linestyle=":", linewidth=1)
    axes.set(yticks=range(len(NAMES)), yticklabels=NAMES.values(), xlim=(0, 1), xlabel="Share (bar: 95 % interval)")
    axes.set_title("Scores, test subjects")
    axes.invert_yaxis()
