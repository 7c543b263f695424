"""The picture of one scan by which a human judges its brain mask and its registration."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_gradient_magnitude

from counterwarp.imaging.io import Volume

PLANES = ("sagittal", "coronal", "axial")
MASK_COLOUR, EDGE_COLOUR = "#ff5a36", "#ffd23f"
SLICES = 2  # of each plane


def scan_check(name: str, scan: Volume, mask: Volume, preprocessed: Volume, template: Volume, numbers: dict) -> Figure:
    """Two rows: the mask's contour on the scan, and the template's edges on the brain in MNI152.

    Args:
        name: of the scan.
        scan, mask: in the scanner's space, one grid in RAS order.
        preprocessed, template: in MNI152, one grid in RAS order.
        numbers: what `imaging.qc.measure` gives.
    """
    figure = Figure(figsize=(9.6, 4.3), dpi=120, facecolor="black")
    figure.text(0.012, 0.955, name, color="white", fontsize=11, weight="bold", va="center")
    figure.text(0.988, 0.955, _numbers(numbers), color="white", fontsize=8, va="center", ha="right")
    problems = numbers["flags"] + numbers["warnings"]
    figure.text(0.012, 0.018, "  |  ".join(problems), color=EDGE_COLOUR, fontsize=7, va="center")
    edges = Volume(_edges(template.data), template.affine)
    rows = (
        ("Brain mask on the scan", scan, mask, mask.data > 0.5, MASK_COLOUR),
        ("Template edges on the registered brain", preprocessed, edges, template.data > 0, EDGE_COLOUR),
    )
    for row, (title, image, overlay, body, colour) in enumerate(rows):
        bottom = 0.49 - 0.455 * row
        figure.text(0.012, bottom + 0.425, title, color=colour, fontsize=8, va="center")
        _draw_row(figure, bottom, image, overlay, body, colour)
    return figure


def save_scan_check(figure: Figure, path: str) -> None:
    """Write a PNG without naming the software, so that the same picture gives the same bytes."""
    FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})


def _numbers(numbers: dict) -> str:
    parts = [f"mask {numbers['mask_litres']:.2f} l", f"correlation with template {numbers['template_correlation']:.3f}"]
    if numbers["mask_dice"] is not None:
        parts.append(f"Dice with true mask {numbers['mask_dice']:.3f}")
        parts.append(f"landmarks {numbers['landmark_error_mm']:.1f} mm off")
    return "   ".join(parts)


def _draw_row(figure: Figure, bottom: float, image: Volume, overlay: Volume, body: np.ndarray, colour: str) -> None:
    bright = np.percentile(image.data[body], 99.5) if body.any() else image.data.max()
    panels = [(axis, position) for axis in range(3) for position in _positions(body, axis)]
    for column, (axis, position) in enumerate(panels):
        axes = figure.add_axes((0.012 + column * 0.976 / 6, bottom, 0.976 / 6, 0.405))
        axes.set_axis_off()
        edges = np.delete(image.voxel_mm, axis)
        shown, drawn = (np.take(volume.data, position, axis).T for volume in (image, overlay))
        axes.imshow(shown, cmap="gray", vmin=0, vmax=bright, origin="lower", aspect=edges[1] / edges[0])
        if drawn.max() > drawn.min():
            axes.contour(drawn, [0.5], colors=[colour], linewidths=0.7)
        axes.set_title(f"{PLANES[axis]} {_place(image, axis, position):+.0f} mm", color="0.75", fontsize=6, pad=2)
        if axis and column % SLICES == 0:
            axes.text(0.02, 0.04, "L", color="0.75", fontsize=6, transform=axes.transAxes)


def _positions(body: np.ndarray, axis: int) -> list[int]:
    """Slices at equal steps through a body."""
    along = np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != axis)))
    low, high = (along[0], along[-1]) if len(along) else (0, body.shape[axis] - 1)
    return [round(low + (high - low) * (i + 1) / (SLICES + 1)) for i in range(SLICES)]


def _place(image: Volume, axis: int, position: int) -> float:
    voxel = (np.array(image.shape) - 1) / 2
    voxel[axis] = position
    return float((image.affine[:3, :3] @ voxel + image.affine[:3, 3])[axis])


def _edges(data: np.ndarray) -> np.ndarray:
    """1 where the template's signal changes most: the outlines that a registered brain should follow."""
    slope = gaussian_gradient_magnitude(data, 0.8)
    return (slope > np.quantile(slope[data > 0], 0.8)).astype(np.float32)
