"""The classifier's logits of raw, simulated and cycled images: Fig. 4 of Liu et al. 2021."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from counterwarp.figures.style import GREY, STATES, figure
from counterwarp.stats.methods import rank_correlation

LABELS = {"raw": "raw", "simulated": "simulated", "cycled": "simulated and back"}


def logits_figure(logits: pd.DataFrame, groups: dict[str, str]):
    """A panel for each method and group; scans sorted by their raw logit.

    Args:
        logits: scan, method, raw, simulated, cycled; test scans of one seed.
        groups: scan -> control or patient.
    """
    methods = list(logits["method"].unique())
    # The groups lie side by side for one method, below one another for several.
    shape = (1, 2) if len(methods) == 1 else (2, len(methods))
    drawn = figure(max(9, 4 * shape[1]), 0.6 + 2.8 * shape[0])
    grid = drawn.subplots(*shape, squeeze=False, sharey=True)
    panels = grid.reshape(2, len(methods)).T
    for method, row in zip(methods, panels, strict=True):
        for axes, group in zip(row, ("control", "patient"), strict=True):
            part = logits[(logits["method"] == method) & (logits["scan"].map(groups) == group)].sort_values("raw")
            place = np.arange(1, len(part) + 1)
            axes.vlines(place, part["raw"], part["simulated"], color=GREY, linewidth=0.6, alpha=0.6)
            for state, marker in (("raw", "o"), ("simulated", "^"), ("cycled", "x")):
                axes.plot(place, part[state], marker, color=STATES[state], label=LABELS[state], markersize=4.5)
            axes.axhline(0, color=GREY, linestyle=":", linewidth=1)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            other = "patient" if group == "control" else "control"
            order = rank_correlation(part["raw"].to_numpy(), part["simulated"].to_numpy())
            kept = "" if np.isnan(order) else f"; rank correlation {order:.2f}"
            axes.set_title(f"{method}: {len(part)} {group} scans as {other}s{kept}")
            axes.set_xlabel("Test scan, sorted by raw logit")
    for axes in grid[:, 0]:
        axes.set_ylabel("Logit (positive: patient)")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=3)
    return drawn
