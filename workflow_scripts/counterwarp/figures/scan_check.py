"""The picture of one scan by which a human judges its brain mask and its registration."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from counterwarp.imaging.io import Volume

MASK_COLOUR, OUTLINE_COLOUR, INNER_COLOUR = "#ff5a36", "#ffd23f", "#4fc3f7"
GRADE_COLOURS = {"good": "#7bd88f", "check": "#ffd23f", "bad": "#ff5a36"}
SLICES = 2  # of each plane
MARGIN_MM = 24.0  # shown around the brain
# On a template, brighter than this share of the brain is white matter.
NOT_WHITE = 0.6
HEIGHT, WIDTH = 4.6, 10.0  # inches


def scan_check(
    name: str,
    scan: Volume,
    mask: Volume,
    preprocessed: Volume,
    template: Volume,
    template_mask: Volume,
    numbers: dict,
) -> Figure:
    """Two rows: the mask's contour on the scan, and the template's outlines on the brain in its space.

    Args:
        name: of the scan.
        scan, mask: in the scanner's space, one grid in RAS order.
        preprocessed, template, template_mask: in the template's space, one grid in RAS order.
        numbers: what `imaging.qc.measure` gives.
    """
    brain = template_mask.data > 0.5
    white = (template.data > np.quantile(template.data[brain], NOT_WHITE)).astype(np.float32)
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=120, facecolor="black")
    _write(figure, 0.965, f"{name}: {numbers['grade']}", GRADE_COLOURS[numbers["grade"]], 11, weight="bold")
    _write(figure, 0.965, _numbers(numbers), "white", 8.5, right=True)
    _write(figure, 0.92, "brain mask on the scan", MASK_COLOUR, 8.5)
    _draw_row(figure, 0.505, scan, mask.data > 0.5, [(mask.data, MASK_COLOUR)])
    _write(figure, 0.475, "template's brain,", OUTLINE_COLOUR, 8.5)
    _write(figure, 0.475, "its white matter,", INNER_COLOUR, 8.5, indent=0.101)
    _write(figure, 0.475, "on the registered brain", "0.8", 8.5, indent=0.206)
    _draw_row(
        figure, 0.045, preprocessed, brain, [(white, INNER_COLOUR), (template_mask.data, OUTLINE_COLOUR)], margin_mm=8
    )
    _write(figure, 0.02, "   ".join(numbers["flags"] + numbers["warnings"]), OUTLINE_COLOUR, 7.5)
    return figure


def save_scan_check(figure: Figure, path: str) -> None:
    """Write a PNG without naming the software, so that the same picture gives the same bytes."""
    FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})


def _write(figure: Figure, height, text, colour, size, indent=0.0, right=False, weight="normal") -> None:
    place, side = (0.99, "right") if right else (0.01 + indent, "left")
    figure.text(place, height, text, color=colour, fontsize=size, weight=weight, va="center", ha=side)


def _numbers(numbers: dict) -> str:
    parts = [
        f"mask {numbers['mask_litres']:.2f} l",
        f"with template: Dice {numbers['template_dice']:.2f}, correlation {numbers['template_correlation']:.2f}",
        f"better place {numbers['misfit_mm']:.1f} mm away",
    ]
    if numbers["mask_dice"] is not None:
        parts.append(f"Dice with true mask {numbers['mask_dice']:.3f}")
    if numbers["landmark_error_mm"] is not None:
        parts.append(f"landmarks {numbers['landmark_error_mm']:.1f} mm off")
    return "   ".join(parts)


def _draw_row(figure: Figure, bottom, image: Volume, body: np.ndarray, outlines: list, margin_mm=MARGIN_MM) -> None:
    """Panels of one scale: what is shown of each plane is the box around the body and its margin."""
    box = [_range(body, axis) for axis in range(3)]
    bright = np.percentile(image.data[body], 99.5)
    panels = [(axis, position) for axis in range(3) for position in _positions(*box[axis])]
    window = [_widen(box[axis], margin_mm / image.voxel_mm[axis], image.shape[axis]) for axis in range(3)]
    sizes = [(high - low) * edge for (low, high), edge in zip(window, image.voxel_mm, strict=True)]
    widths = [sizes[1 if axis == 0 else 0] for axis, _ in panels]
    scale = min(0.98 * WIDTH / sum(widths), 0.4 * HEIGHT / max(sizes[1], sizes[2]))  # inches per mm
    left = 0.5 - sum(widths) * scale / WIDTH / 2
    for (axis, position), width in zip(panels, widths, strict=True):
        height = sizes[1 if axis == 2 else 2]
        rise = bottom + (0.4 - height * scale / HEIGHT) / 2
        axes = figure.add_axes((left, rise, width * scale / WIDTH, height * scale / HEIGHT))
        left += width * scale / WIDTH
        _draw_panel(axes, image, axis, position, window, bright, outlines)


def _draw_panel(axes: Axes, image: Volume, axis, position, window, bright, outlines) -> None:
    across, up = (a for a in range(3) if a != axis)
    axes.set_axis_off()
    ratio = image.voxel_mm[up] / image.voxel_mm[across]
    shown = np.take(image.data, position, axis).T
    axes.imshow(shown, cmap="gray", vmin=0, vmax=bright, origin="lower", aspect=ratio, interpolation="bilinear")
    for values, colour in outlines:
        drawn = np.take(values, position, axis).T
        if drawn.max() > 0.5 > drawn.min():
            axes.contour(drawn, [0.5], colors=[colour], linewidths=0.7)
    axes.set_xlim(*window[across])
    axes.set_ylim(*window[up])
    ground = {"facecolor": "black", "alpha": 0.6, "pad": 0.8, "linewidth": 0}
    label = {"color": "0.85", "fontsize": 6.5, "transform": axes.transAxes, "bbox": ground}
    axes.text(0.97, 0.02, f"{'xyz'[axis]} = {_place(image, axis, position):+.0f} mm", ha="right", **label)
    if axis:
        axes.text(0.03, 0.02, "L", **label)


def _range(body: np.ndarray, axis: int) -> tuple[int, int]:
    along = np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != axis)))
    return int(along[0]), int(along[-1])


def _widen(bounds: tuple[int, int], voxels: float, length: int) -> tuple[float, float]:
    return max(bounds[0] - voxels, -0.5), min(bounds[1] + voxels, length - 0.5)


def _positions(low: int, high: int) -> list[int]:
    """Slices at equal steps through a body."""
    return [round(low + (high - low) * (i + 1) / (SLICES + 1)) for i in range(SLICES)]


def _place(image: Volume, axis: int, position: int) -> float:
    voxel = (np.array(image.shape) - 1) / 2
    voxel[axis] = position
    return float((image.affine[:3, :3] @ voxel + image.affine[:3, 3])[axis])
