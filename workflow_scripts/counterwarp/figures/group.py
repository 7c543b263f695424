"""Maps of one method or of all over anatomy, beside the true one."""

import numpy as np

from counterwarp.figures.anatomy import Volume, at, box, draw, overlay, place_name
from counterwarp.figures.style import DIVERGING, figure, percent

# At these shares of the brain's length lie the medial temporal lobes, at these of its height those and the ventricles.
SLICES = {"coronal": (0.36, 0.46, 0.55), "axial": (0.34, 0.46, 0.58)}


# Unit of the maps of a saliency method; those of simulators are changes of volume.
UNITS = {
    "backprop": "Gradient of the logit\n(1/sd of signal)",
    "guided_backprop": "Guided gradient\n(1/sd of signal)",
    "gradcam": "Grad-CAM\n(logit)",
    "guided_gradcam": "Guided Grad-CAM\n(no unit)",
    "occlusion": "Right answers lost\n(share)",
}


def group_figure(
    maps: dict[str, np.ndarray], truth: np.ndarray | None, image: np.ndarray, mask: np.ndarray, affine: np.ndarray
):
    """Slices of one row of maps for each method over an image; below them the true map.

    All changes of volume share one range; a saliency map has its own, symmetric about zero.

    Args:
        maps: method -> (x, y, z): log-Jacobian, or for a method in UNITS any signed map.
        truth: true log-Jacobian on the same grid, or None.
        image, mask: the template, or a scan, and its brain mask on the same grid.
        affine: of the grid, to mm of MNI152.
    """
    brain, anatomy = Volume.of(mask, affine), Volume.of(image, affine)
    rows = [
        (name, Volume.of(values if name in UNITS else percent(values), affine), UNITS.get(name))
        for name, values in maps.items()
    ]
    if truth is not None:
        rows.append(("true", Volume.of(percent(truth), affine), None))
    inside = brain.data > 0.5
    changes = [values.data[inside] for _, values, unit in rows if not unit]
    limit = nice(np.percentile(np.abs(np.concatenate(changes)), 99.5)) if changes else 1.0
    slices = [(plane, at(brain, plane, share)) for plane, shares in SLICES.items() for share in shares]
    drawn = figure(11, 0.4 + 2.2 * len(rows))
    grid = drawn.subplots(len(rows), len(slices), squeeze=False)
    for axes, (plane, place) in zip(grid[0], slices, strict=True):
        axes.set_title(place_name(plane, place))
    grey = tuple(np.percentile(anatomy.data[inside], (0.5, 99.5)))
    for line, (name, values, unit) in zip(grid, rows, strict=True):
        own = nice(np.percentile(np.abs(values.data[inside]), 99.5)) if unit else limit
        for axes, (plane, place) in zip(line, slices, strict=True):
            draw(axes, anatomy, plane, place, box(brain, plane), grey)
            shown = overlay(axes, values, brain, plane, place, DIVERGING, own)
        label = f"{unit}, ±{own:.2g}" if unit else f"Tissue volume\nchange (%), ±{own:g} %"
        drawn.colorbar(shown, ax=line, label=label, shrink=0.9, extend="both")
        line[0].set_ylabel(name)
    return drawn


def nice(value: float) -> float:
    """The next larger number of the form 1, 2, 3, 5 or 7.5 times a power of ten; 1 for nothing at all."""
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * next(step for step in (1, 2, 3, 5, 7.5, 10) if step * power >= value * (1 - 1e-9)))
