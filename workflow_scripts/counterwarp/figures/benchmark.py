"""The 2-D benchmark as Figure 3 of Liu et al. 2021: what was drawn, what is simulated, what each method finds."""

import numpy as np
import pandas as pd

from counterwarp.figures.style import COLOURS, DIVERGING, GREY, figure
from counterwarp.stats.benchmark import CEILING

TITLES = {
    "truth": "truth",
    "cycle": "CondConv",
    "cycle_bce": "CondConv, BCE",
    "cycle_two_encoders": "two encoders",
    "cycle_velocity": "CondConv, velocity",
    "cycle_displacement": "CondConv, displacement",
    "cycle_fixed_delta": "CondConv, delta 12.5",
    "backprop": "backprop",
    "guided_backprop": "guided backprop",
    "gradcam": "Grad-CAM",
    "guided_gradcam": "guided Grad-CAM",
    "occlusion": "occlusion",
    "defigan": "DeFI-GAN",
    "vagan": "VA-GAN",
}


def benchmark_figure(
    index: pd.DataFrame,
    images: dict[str, np.ndarray],
    patterns: dict[str, np.ndarray],
    methods: pd.DataFrame,
    method: str,
):
    """Magnitudes, an example of each group, group patterns and NCC.

    Args:
        index: row, group, split, magnitude of one seed's images.
        images: "images", "simulated", "cycled" of that seed, (n, rows, columns).
        patterns: of `counterwarp.stats.benchmark.group_patterns`.
        methods: of `counterwarp.stats.benchmark.score`, seeds as text.
        method: whose simulations are shown.
    """
    names = ["truth", *(name for name in TITLES if name in patterns and name != "truth")]
    drawn = figure(11, 8.2)
    top, middle, bottom = drawn.subfigures(3, 1, height_ratios=[1, 0.9, 1])
    histogram, examples = top.subfigures(1, 2, width_ratios=[0.36, 1])
    _draw_magnitudes(histogram.subplots(), index)
    _draw_examples(examples, index, images, method)
    _draw_patterns(middle, names, patterns)
    draw_ncc(bottom.subplots(), methods, names[1:])
    return drawn


def _draw_magnitudes(axes, index: pd.DataFrame) -> None:
    edges = np.arange(1, 8.25, 0.5)
    for group, colour in COLOURS.items():
        values = index.loc[index["group"] == group, "magnitude"]
        axes.hist(values, edges, color=colour, alpha=0.55, label=f"{group}s")
    axes.set(xlabel="Magnitude off the diagonal", ylabel="Images", title="Drawn (first seed)")
    axes.legend(loc="lower center")


def _draw_examples(part, index: pd.DataFrame, images: dict[str, np.ndarray], method: str) -> None:
    panels = part.subplots(2, 3)
    for row, group in zip(panels, COLOURS, strict=True):
        tested = index[(index["split"] == "test") & (index["group"] == group)]
        # The image whose magnitude is the median of its group, so that none is chosen by its looks.
        chosen = tested.sort_values("magnitude")["row"].iloc[len(tested) // 2]
        for axes, (name, title) in zip(
            row, (("images", group), ("simulated", "simulated"), ("cycled", "and back")), strict=True
        ):
            shown = axes.imshow(images[name][chosen].astype(np.float32), cmap="gray", vmin=0, vmax=8)
            axes.set(xticks=[], yticks=[], title=title)
    part.colorbar(shown, ax=panels, label="Intensity", shrink=0.8)
    part.suptitle(f"Test images of median magnitude, simulated by {TITLES[method]}", fontsize=9)


def _draw_patterns(part, names: list[str], patterns: dict[str, np.ndarray]) -> None:
    panels = part.subplots(1, len(names))
    for axes, name in zip(np.atleast_1d(panels), names, strict=True):
        # Each method has its own unit, so each pattern its own symmetric range.
        limit = np.abs(patterns[name]).max() or 1
        shown = axes.imshow(patterns[name], cmap=DIVERGING, vmin=-limit, vmax=limit)
        axes.set(xticks=[], yticks=[], title=TITLES[name])
        bar = part.colorbar(shown, ax=axes, orientation="horizontal", shrink=0.85, ticks=[-limit, 0, limit])
        bar.ax.set_xticklabels([f"{-limit:.2g}", "0", f"{limit:.2g}"])
    part.suptitle("Mean map over the test images of all seeds, from control to patient (own range)", fontsize=9)


def draw_ncc(axes, methods: pd.DataFrame, names: list[str]) -> None:
    """Bars of the mean NCC of some methods over test images, with seeds, interval and, where it is known, ceiling.

    Args:
        methods: of `counterwarp.stats.benchmark.score`, seeds as text.
        names: of the methods, in their order.
    """
    chosen = methods[(methods["level"] == "subject") & (methods["metric"] == "ncc")]
    for place, name in enumerate(names):
        part = chosen[chosen["method"] == name]
        over = part[part["seed"] == "all"].iloc[0]
        seeds = part.loc[part["seed"] != "all", "mean"]
        colour = "#0072B2" if name.startswith("cycle") or name == "defigan" else GREY
        axes.bar(place, over["mean"], color=colour, alpha=0.55, width=0.6)
        axes.plot(np.full(len(seeds), place), seeds, "o", color=colour, markersize=3.5)
        if np.isfinite(over["low"]):
            axes.vlines(place, over["low"], over["high"], color="black", linewidth=1.5)
        axes.text(place + 0.08, max(over["mean"], 0) + 0.02, f"{over['mean']:.2f}", va="bottom")
    highest = chosen.loc[(chosen["method"] == CEILING) & (chosen["seed"] == "all"), "mean"]
    for value in highest:
        axes.axhline(value, color="black", linewidth=1, linestyle="--")
        axes.text(len(names) - 0.5, value, f"ceiling {value:.2f}", ha="right", va="bottom")
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set(ylim=(min(-0.2, chosen["mean"].min() - 0.1), 1.05), ylabel="NCC with the truth")
    axes.set_xticks(range(len(names)), [TITLES[name] for name in names])
    axes.set_title("Mean NCC over test images (dots: seeds; line: 95 % interval over seeds)")
