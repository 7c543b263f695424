"""The classifier's logits of raw, simulated and cycled images: Fig. 4 of Liu et al. 2021."""

import numpy as np
import pandas as pd

from counterwarp.figures.style import GREY, STATES, figure

LABELS = {"raw": "raw", "simulated": "simulated", "cycled": "simulated and back"}


def logits_figure(logits: pd.DataFrame, groups: dict[str, str]):
    """One row a method, one column a group; scans sorted by their raw logit.

    Args:
        logits: scan, method, raw, simulated, cycled; test scans of one seed.
        groups: scan -> control or patient.
    """
    methods = list(logits["method"].unique())
    drawn = figure(9, 0.6 + 2.6 * len(methods))
    grid = drawn.subplots(len(methods), 2, squeeze=False, sharey=True)
    for row, method in zip(grid, methods, strict=True):
        for axes, group in zip(row, ("control", "patient"), strict=True):
            part = logits[(logits["method"] == method) & (logits["scan"].map(groups) == group)].sort_values("raw")
            place = np.arange(1, len(part) + 1)
            axes.vlines(place, part["raw"], part["simulated"], color=GREY, linewidth=0.6, alpha=0.6)
            for state, marker in (("raw", "o"), ("simulated", "^"), ("cycled", "x")):
                axes.plot(place, part[state], marker, color=STATES[state], label=LABELS[state], markersize=4.5)
            axes.axhline(0, color=GREY, linestyle=":", linewidth=1)
            other = "patient" if group == "control" else "control"
            axes.set_title(f"{method}: {len(part)} {group} scans, simulated as {other}s")
            axes.set_xlabel("Test scan, sorted by raw logit")
        row[0].set_ylabel("Logit (positive: patient)")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=3)
    return drawn
