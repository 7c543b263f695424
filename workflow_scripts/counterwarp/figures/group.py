"""Maps of one method or of all over anatomy, beside the true one."""

from dataclasses import dataclass

import numpy as np

from counterwarp.figures.anatomy import Volume, at, box, draw, outline, overlay, place_name
from counterwarp.figures.style import DIVERGING, SEQUENTIAL, figure, percent, short

# At these shares of the brain's length lie the medial temporal lobes, at these of its height those and the ventricles.
SLICES = {"coronal": (0.36, 0.46, 0.55), "axial": (0.34, 0.46, 0.58)}


# Unit of the maps of a saliency method; those of simulators are changes of volume.
UNITS = {
    "backprop": "Gradient of the logit\n(1/sd of signal)",
    "guided_backprop": "Guided gradient\n(1/sd of signal)",
    "gradcam": "Grad-CAM\n(logit)",
    "guided_gradcam": "Guided Grad-CAM\n(no unit)",
    "vagan": "Change of intensity\n(sd of signal)",
    "occlusion": "Right answers lost\n(share)",
}


def group_figure(
    maps: dict[str, np.ndarray],
    truth: np.ndarray | None,
    image: np.ndarray,
    mask: np.ndarray,
    affine: np.ndarray,
    spread: dict[str, np.ndarray] | None = None,
    regions: dict[str, np.ndarray] | None = None,
):
    """Slices of one row of maps for each method over an image; below them the true map.

    All changes of volume share one range; a saliency map has its own, symmetric about zero.

    Args:
        maps: method -> (x, y, z): log-Jacobian, or for a method in UNITS any signed map.
        truth: true log-Jacobian on the same grid, or None.
        image, mask: the template, or a scan, and its brain mask on the same grid.
        affine: of the grid, to world mm.
        spread: method -> standard deviation of its map over seeds, drawn in a row below it.
        regions: method -> (x, y, z) bool, outlined in its row.
    """
    brain, anatomy = Volume.of(mask, affine), Volume.of(image, affine)
    inside = brain.data > 0.5
    rows = []
    for name, values in maps.items():
        own = UNITS.get(name)
        rows.append(Row(name, Volume.of(values if own else percent(values), affine), own))
        if name in (regions or {}):
            rows[-1].region = Volume.of(regions[name], affine)
        if name in (spread or {}):
            # To first order, a spread of log-Jacobians is one of relative changes of volume.
            unit = f"sd over seeds\n{own}" if own else "sd over seeds\n(% of volume)"
            deviation = spread[name] if own else 100 * spread[name]
            rows.append(Row(f"{name}, sd", Volume.of(deviation, affine), unit, SEQUENTIAL))
    if truth is not None:
        rows.append(Row("true", Volume.of(percent(truth), affine)))
    changes = [row.values.data[inside] for row in rows if not row.unit]
    limit = nice(np.percentile(np.abs(np.concatenate(changes)), 99.5)) if changes else 1.0
    slices = [(plane, at(brain, plane, share)) for plane, shares in SLICES.items() for share in shares]
    drawn = figure(11, 0.4 + 2.2 * len(rows))
    grid = drawn.subplots(len(rows), len(slices), squeeze=False)
    for axes, (plane, place) in zip(grid[0], slices, strict=True):
        axes.set_title(place_name(plane, place))
    grey = tuple(np.percentile(anatomy.data[inside], (0.5, 99.5)))
    for line, row in zip(grid, rows, strict=True):
        high = nice(np.percentile(np.abs(row.values.data[inside]), 99.5)) if row.unit else limit
        low = -high if row.colours == DIVERGING else 0.0
        for axes, (plane, place) in zip(line, slices, strict=True):
            draw(axes, anatomy, plane, place, box(brain, plane), grey)
            shown = overlay(axes, row.values, brain, plane, place, row.colours, high, low)
            if row.region:
                outline(axes, row.region, plane, place)
        stated = f"±{high:.2g}" if low else f"0 to {high:.2g}"
        label = f"{row.unit}, {stated}" if row.unit else f"Tissue volume\nchange (%), ±{high:g} %"
        drawn.colorbar(shown, ax=line, label=label, shrink=0.9, extend="both" if low else "max", format=short)
        line[0].set_ylabel(row.name)
    return drawn


@dataclass
class Row:
    """One row of the figure; without a unit it is a change of volume in per cent."""

    name: str
    values: Volume
    unit: str | None = None
    colours: str = DIVERGING
    region: Volume | None = None


def nice(value: float) -> float:
    """The next larger number of the form 1, 2, 3, 5 or 7.5 times a power of ten; 1 for nothing at all."""
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * next(step for step in (1, 2, 3, 5, 7.5, 10) if step * power >= value * (1 - 1e-9)))
