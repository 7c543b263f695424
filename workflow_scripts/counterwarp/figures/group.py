"""The group's map on the template, beside the true one."""

import numpy as np

from counterwarp.figures.anatomy import Volume, at, box, draw, overlay, place_name
from counterwarp.figures.style import DIVERGING, figure, percent

# At these shares of the brain's length lie the medial temporal lobes, at these of its height those and the ventricles.
SLICES = {"coronal": (0.36, 0.46, 0.55), "axial": (0.34, 0.46, 0.58)}


def group_figure(
    group_map: np.ndarray,
    truth: np.ndarray | None,
    template: np.ndarray,
    mask: np.ndarray,
    affine: np.ndarray,
    title: str,
    is_change: bool = True,
):
    """Slices of a group map over the template; below it the true map in the same range.

    Args:
        group_map: (x, y, z) on the template's grid: log-Jacobian, or any signed map where `is_change` is false.
        truth: true log-Jacobian on the same grid, or None.
        template, mask: brain and its mask on the same grid.
        affine: of the grid, to mm of MNI152.
        title: of the row of the group map.
        is_change: whether the map is a log-Jacobian; if not, it is shown in its own range, without unit.
    """
    brain, anatomy = Volume.of(mask, affine), Volume.of(template, affine)
    rows = [(title, Volume.of(percent(group_map) if is_change else group_map, affine), is_change)]
    if truth is not None:
        rows.append(("true", Volume.of(percent(truth), affine), True))
    inside = brain.data > 0.5
    # One range for all maps in per cent; a map without unit has its own.
    changes = [values.data[inside] for _, values, change in rows if change]
    limit = nice(np.percentile(np.abs(np.concatenate(changes)), 99.5)) if changes else 1.0
    slices = [(plane, at(brain, plane, share)) for plane, shares in SLICES.items() for share in shares]
    drawn = figure(11, 0.4 + 2.2 * len(rows))
    grid = drawn.subplots(len(rows), len(slices), squeeze=False)
    for axes, (plane, place) in zip(grid[0], slices, strict=True):
        axes.set_title(place_name(plane, place))
    for line, (name, values, change) in zip(grid, rows, strict=True):
        own = limit if change else nice(np.percentile(np.abs(values.data[inside]), 99.5))
        for axes, (plane, place) in zip(line, slices, strict=True):
            draw(axes, anatomy, plane, place, box(brain, plane), (0, np.percentile(anatomy.data[inside], 99.5)))
            shown = overlay(axes, values, brain, plane, place, DIVERGING, own)
        label = f"Tissue volume\nchange (%), ±{own:g} %" if change else f"Gradient of the logit\n(no unit), ±{own:.2g}"
        drawn.colorbar(shown, ax=line, label=label, shrink=0.9, extend="both")
        line[0].set_ylabel(name)
    return drawn


def nice(value: float) -> float:
    """The next larger number of the form 1, 2, 3, 5 or 7.5 times a power of ten; 1 for nothing at all."""
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * next(step for step in (1, 2, 3, 5, 7.5, 10) if step * power >= value * (1 - 1e-9)))
