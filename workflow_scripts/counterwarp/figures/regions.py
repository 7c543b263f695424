"""Regional volumes of the two groups, corrected for the covariates."""

import math

import numpy as np
import pandas as pd

from counterwarp.figures.style import COLOURS, figure, p_text

# More could not be read in the report's window; the table has all.
MOST = 12


def regions_figure(adjusted: pd.DataFrame, regions: pd.DataFrame, covariates: list[str], where: str, first=()):
    """A box plot a region, with every subject as a point and the result of the model above it.

    Args:
        adjusted: scan, region, group, volume_ml; volumes without the covariates' part.
        regions: region, tissue, affected (-1, 0, +1; nan where unknown), n, t, p, q, effect, low, high.
        covariates: their names.
        where: whose volumes they are, for the title.
        first: names of regions drawn whatever their p; beside them those with the smallest.
    """
    asked = regions["region"].isin(first)
    others = regions.loc[~asked, "p"].nsmallest(max(0, MOST - asked.sum())).index
    chosen = pd.concat([regions[asked], regions.loc[others.sort_values()]])
    # Wide rather than high: the report cuts off the top of what is higher than the window.
    columns = min(len(chosen), max(4, math.ceil(math.sqrt(2.4 * len(chosen)))))
    rows = math.ceil(len(chosen) / columns)
    drawn = figure(max(4.5, 2.15 * columns), 0.4 + 2.8 * rows)
    grid = drawn.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(chosen) :]:
        axes.set_axis_off()
    for number, (axes, row) in enumerate(zip(grid.flat, chosen.itertuples(), strict=False)):
        _draw_region(axes, adjusted[adjusted["region"] == row.region], row)
        if number % columns == 0:
            axes.set_ylabel("Volume (ml)")
    corrected = f"corrected for {' and '.join(covariates)}" if covariates else "uncorrected"
    which = (
        f"{len(chosen)} of {len(regions)} regions, {'those asked for and ' if asked.any() else ''}those with the "
        "smallest p; "
        if len(chosen) < len(regions)
        else ""
    )
    drawn.suptitle(
        f"Regional volumes {where}, {corrected}; {which}n = {int(regions['n'].max())}",
        fontsize=10,
    )
    return drawn


def _draw_region(axes, volumes: pd.DataFrame, row) -> None:
    groups = ("control", "patient")
    values = [volumes.loc[volumes["group"] == group, "volume_ml"].to_numpy() for group in groups]
    boxes = axes.boxplot(values, widths=0.55, showfliers=False, patch_artist=True, medianprops={"color": "black"})
    # A fixed scatter: the same subject lies at the same place in every run.
    jitter = np.random.default_rng(0)
    for place, (group, box) in enumerate(zip(groups, boxes["boxes"], strict=True), start=1):
        box.set(facecolor=COLOURS[group], alpha=0.35)
        points = values[place - 1]
        axes.plot(place + jitter.uniform(-0.16, 0.16, len(points)), points, ".", color=COLOURS[group], markersize=4)
    axes.set_xticks([1, 2], [f"{group}s" for group in groups])
    known = {-1: "\nshrinks in truth", 1: "\nexpands in truth", 0: "\nuntouched in truth"}.get(row.affected, "")
    axes.set_title(
        f"{row.region.replace('_', ' ')} ({row.tissue}){known}\n"
        f"t = {row.t:z.2f}, {p_text(row.p)}, {p_text(row.q, 'q')}\n"
        f"d = {row.effect:z.2f} [{row.low:z.2f}, {row.high:z.2f}]",
        fontsize=8,
    )
