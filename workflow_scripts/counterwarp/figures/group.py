"""The group's map on the template, beside the true one."""

import numpy as np

from counterwarp.figures.anatomy import Volume, box, draw, overlay
from counterwarp.figures.style import DIVERGING, figure, percent

# Coronal slices through the medial temporal lobe, axial ones through the ventricles.
SLICES = (("coronal", -36), ("coronal", -24), ("coronal", -12), ("axial", -18), ("axial", 2), ("axial", 20))


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
    drawn = figure(11, 0.4 + 2.2 * len(rows))
    grid = drawn.subplots(len(rows), len(SLICES), squeeze=False)
    for line, (name, values, change) in zip(grid, rows, strict=True):
        own = limit if change else nice(np.percentile(np.abs(values.data[inside]), 99.5))
        for axes, (plane, place) in zip(line, SLICES, strict=True):
            draw(axes, anatomy, plane, place, box(brain, plane), (0, np.percentile(anatomy.data[inside], 99.5)))
            shown = overlay(axes, values, brain, plane, place, DIVERGING, own)
            if line is grid[0]:
                axes.set_title(f"{plane}, {'y' if plane == 'coronal' else 'z'} = {place} mm")
        label = f"Tissue volume\nchange (%), ±{own:g} %" if change else f"Gradient of the logit\n(no unit), ±{own:.2g}"
        drawn.colorbar(shown, ax=line, label=label, shrink=0.9)
        line[0].set_ylabel(name)
    return drawn


def nice(value: float) -> float:
    """The next larger number of the form 1, 2, 3, 5 or 7.5 times a power of ten; 1 for nothing at all."""
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * next(step for step in (1, 2, 3, 5, 7.5, 10) if step * power >= value * (1 - 1e-9)))
