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


# What simple models see.
SEEN = {
    "image": "PCA of the same images",
    "mask": "outline of the brain",
    "histogram": "histogram of intensities",
    "covariates": "covariates (age, sex, ...)",
}


def roc_curve(logits: np.ndarray, is_patient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of controls and of patients above every threshold, from the highest: shape (thresholds + 2,) each."""
    thresholds = np.concatenate([[np.inf], np.unique(logits)[::-1], [-np.inf]])
    above = logits[None, :] >= thresholds[:, None]
    return above[:, ~is_patient].mean(1), above[:, is_patient].mean(1)


def classifier_figure(
    logits: pd.DataFrame, scores: pd.DataFrame, found: pd.DataFrame, baselines: pd.DataFrame | None = None
):
    """ROC of every seed, confusion of the first, the scores with their intervals, and what simple models reach.

    Args:
        logits: seed, scan, group, log_odds of the test subjects, one row a subject and seed.
        scores: seed, split, metric, value, low, high.
        found: of `verdict.verdict`.
        baselines: of `baselines.baseline_scores`, where there are any.
    """
    seeds = list(logits["seed"].unique())
    some = baselines is not None and len(baselines) > 0
    drawn = figure(14 if some else 10, 3.4)
    ratios = [1, 0.85, 1.15, 1.15] if some else [1, 0.85, 1.15]
    roc, confusion, intervals, *more = drawn.subplots(1, len(ratios), width_ratios=ratios)
    for seed in seeds:
        part = logits[logits["seed"] == seed]
        false, true = roc_curve(part["log_odds"].to_numpy(), (part["group"] == "patient").to_numpy())
        roc.plot(false, true, color="#0072B2", alpha=1 if seed == seeds[0] else 0.4, clip_on=False)
    roc.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1)
    roc.set(xlabel="False positives (1 - specificity)", ylabel="True positives (sensitivity)", aspect="equal")
    roc.set(xlim=(0, 1), ylim=(0, 1), title="ROC, test subjects" + ("" if len(seeds) == 1 else f", {len(seeds)} seeds"))
    area = _score(scores, seeds[0], "auc")
    roc.text(0.97, 0.05, f"AUC {area.value:.2f}\n[{area.low:.2f}, {area.high:.2f}]", ha="right", va="bottom")
    _draw_confusion(confusion, logits[logits["seed"] == seeds[0]], seeds[0])
    _draw_intervals(intervals, scores, seeds)
    if some:
        _draw_baselines(*more, found, baselines[baselines["metric"] == "auc"])
    return drawn


def _score(scores: pd.DataFrame, seed, metric: str):
    wanted = (scores["seed"] == seed) & (scores["split"] == "test") & (scores["metric"] == metric)
    return next(scores[wanted].itertuples())


def _draw_confusion(axes, logits: pd.DataFrame, seed) -> None:
    groups = ("control", "patient")
    called = np.where(logits["log_odds"] > 0, "patient", "control")
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


def _draw_baselines(axes, found: pd.DataFrame, areas: pd.DataFrame) -> None:
    network = found.iloc[-1]
    rows = [
        ("network" + (", mean of seeds" if len(found) > 1 else ""), network["auc"], network["low"], network["high"])
    ]
    rows += [(SEEN.get(row.model, row.model), row.value, row.low, row.high) for row in areas.itertuples()]
    for place, (_, value, low, high) in enumerate(rows):
        colour = "#0072B2" if place == 0 else GREY
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot(value, place, "o", color=colour, markersize=5, clip_on=False)
        axes.text(1.03, place, f"{value:.2f} [{low:.2f}, {high:.2f}]", va="center", clip_on=False)
    axes.axvline(0.5, color=GREY, linestyle=":", linewidth=1)
    axes.set(yticks=range(len(rows)), yticklabels=[row[0] for row in rows], xlim=(0, 1))
    axes.set(xlabel="Area under the curve (bar: 95 % interval)", title="Beside simple models, test subjects")
    axes.invert_yaxis()


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
