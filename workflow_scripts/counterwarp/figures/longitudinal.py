"""What two scans of a subject say of every method (Bigolin Lanfredi et al. 2020, Table 1), beside the truth."""

import matplotlib
import numpy as np
import pandas as pd

from counterwarp.figures.benchmark import TITLES
from counterwarp.figures.style import GREY, figure

# There are more methods than colours that everyone can tell apart: the bars beside say the same by name.
MANY = matplotlib.colormaps["tab20"]


def longitudinal_figure(pairs: pd.DataFrame, methods: pd.DataFrame):
    """NCC of predicted and observed change by method; where the true change is known, each pair's NCC with both.

    A dashed line shows what would be if all that the observed change has besides the true one had nothing in common
    with the prediction: NCC(predicted, observed) = NCC(predicted, true) NCC(observed, true).

    Args:
        pairs: of `counterwarp.stats.longitudinal.score_methods`.
        methods: of `counterwarp.stats.longitudinal.summarise`.
    """
    known = "ncc_true" in pairs
    drawn = figure(11 if known else 6, 4.6)
    panels = drawn.subplots(1, 1 + known, squeeze=False)[0]
    _draw_methods(panels[0], methods)
    if known:
        _draw_pairs(panels[1], pairs)
    return drawn


def _draw_methods(axes, methods: pd.DataFrame) -> None:
    subjects = int(methods["subjects"].max()) if len(methods) else 0
    places = np.arange(len(methods))
    axes.barh(places, methods["mean"], color=GREY, alpha=0.5, height=0.6)
    axes.hlines(places, methods["low"], methods["high"], color="black", linewidth=1.5)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(places, [TITLES.get(name, name) for name in methods["method"]])
    axes.invert_yaxis()
    axes.set_xlabel("NCC of predicted and observed change")
    line = "line: 95 % interval over subjects" if methods["low"].notna().any() else "too few for an interval"
    axes.set_title(f"Test subjects: {subjects} ({line})")


def _draw_pairs(axes, pairs: pd.DataFrame) -> None:
    of_pair = ["method", "later", "split"]
    mean = pairs.groupby(of_pair, sort=False)[["ncc", "ncc_true", "ncc_limit"]].mean().reset_index()
    for number, (method, of_method) in enumerate(mean.groupby("method", sort=False)):
        held_out, colour = of_method["split"] == "test", MANY(number)
        for part, marker in ((of_method[held_out], "o"), (of_method[~held_out], "x")):
            axes.plot(part["ncc"], part["ncc_true"], marker, color=colour, markersize=4)
        axes.plot([], [], "o", color=colour, label=TITLES.get(method, method))
    limit = mean.drop_duplicates("later")["ncc_limit"].mean()
    label = f"observed = true + noise\n(NCC of both {limit:.2f})"
    axes.axline((0, 0), slope=1 / limit, color=GREY, linestyle="--", linewidth=0.8, label=label)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set(xlabel="NCC of predicted and observed change", ylabel="NCC of predicted and true change")
    axes.set_title("All pairs, mean over seeds (dot: test subjects, cross: others)")
    axes.legend(fontsize=7)
