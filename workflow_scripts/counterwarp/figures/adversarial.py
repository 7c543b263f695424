"""What a generator changes, where it moves it, how its training went (Bigolin Lanfredi et al. 2020, Fig. 2 to 4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from counterwarp.figures.anatomy import PLANES, place_name
from counterwarp.figures.benchmark import TITLES, draw_ncc
from counterwarp.figures.style import GREY, SEQUENTIAL, figure, short

# Darker is green, brighter is pink.
BRIGHTNESS = "PiYG_r"
# Pixels between two arrows.
SPACING = 4
# Of scans: voxels between two arrows, and how many times longer than true they are.
SCAN_SPACING, SCAN_LONGER = 2, 5
# Share of the image's edge that the crop shows larger.
CROP = 0.4


def toy_figure(
    images: np.ndarray,
    truth: np.ndarray,
    changes: dict[str, np.ndarray],
    displacement: np.ndarray,
    table: pd.DataFrame,
    methods: list[str],
):
    """Test patients with the change that each method finds, the displacement of the first, and NCC.

    Args:
        images, truth: (n, rows, columns), some patients and the true change of intensity by the disease.
        changes: method -> (n, rows, columns), the same by that method.
        displacement: (2, rows, columns), of the first image, pixels, pull-back.
        table: of `counterwarp.stats.benchmark.score`, seeds as text.
        methods: whose NCC is drawn, in their order.
    """
    drawn = figure(11, 3.1 * len(images) / 2 + 7)
    top, middle, bottom = drawn.subfigures(3, 1, height_ratios=[1.55 * len(images), 3.6, 2.8])
    draw_changes(top, images, {"true": truth, **changes})
    draw_displacement(middle, [Moved("", images[0], displacement)])
    draw_ncc(bottom.subplots(), table, methods)
    return drawn


def films_figure(
    images: np.ndarray, names: list[str], changes: dict[str, np.ndarray], displacements: dict[str, np.ndarray]
):
    """Test patients' films with the change that each method finds, and the displacements of the first.

    Args:
        images: (n, rows, columns).
        names: of the n films.
        changes: method -> (n, rows, columns), the change of intensity by the disease.
        displacements: of the methods that warp -> (2, rows, columns), of the first film, pixels, pull-back.
    """
    moved = len(displacements)
    drawn = figure(3.2 * (1 + len(changes)) + 1.5, 3.1 * len(images) + 4.6 * moved)
    parts = drawn.subfigures(1 + moved, 1, squeeze=False, height_ratios=[3.1 * len(images)] + [4.6] * moved)[:, 0]
    draw_changes(parts[0], images, changes, names)
    for part, (method, displacement) in zip(parts[1:], displacements.items(), strict=True):
        draw_displacement(part, [Moved("", images[0], displacement)], method)
    return drawn


@dataclass(frozen=True)
class ScanChange:
    """What the generators change in one scan, on the network's grid.

    scan: its name. image, mask: (x, y, z) along the right, the front and the top. changes: method -> (x, y, z), the
    change of intensity by the disease. displacement: (3, x, y, z), voxels, pull-back, or None where no method warps.
    affine: 4 x 4, voxel -> mm.
    """

    scan: str
    image: np.ndarray
    mask: np.ndarray
    changes: dict[str, np.ndarray]
    displacement: np.ndarray | None
    affine: np.ndarray


def scan_figure(subject: ScanChange):
    """One patient's scan in three planes: the change that each method finds, and where the warp moves the brain.

    The planes meet where the displacement inside the brain, or else the first method's change, is greatest once it is
    smoothed.
    """
    moved, voxel_mm = subject.displacement is not None, float(subject.affine[0, 0])
    strength = np.linalg.norm(subject.displacement, axis=0) if moved else np.abs(next(iter(subject.changes.values())))
    centre = np.unravel_index(np.argmax(gaussian_filter(strength, 1.0) * subject.mask), strength.shape)
    names = [
        place_name(plane, subject.affine[axis, axis] * centre[axis] + subject.affine[axis, 3])
        for axis, plane in enumerate(PLANES)
    ]
    planes = range(len(PLANES))
    images = [plane_of(subject.image, axis, centre) for axis in planes]
    changes = {
        method: [plane_of(np.where(subject.mask, change, 0), axis, centre) for axis in planes]
        for method, change in subject.changes.items()
    }
    drawn = figure(max(3.2 * (1 + len(changes)) + 1.5, 11 * moved), 8.6 + 7.2 * moved)
    parts = drawn.subfigures(1 + moved, 1, squeeze=False, height_ratios=[8.6, 7.2][: 1 + moved])[:, 0]
    draw_changes(parts[0], images, changes, names)
    if moved:
        arrows = [in_plane(subject.displacement * subject.mask, axis, centre) for axis in planes]
        parts_of = [Moved(*part) for part in zip(names, images, arrows, strict=True)]
        draw_displacement(parts[1], parts_of, spacing=SCAN_SPACING, longer=SCAN_LONGER, pixel=voxel_mm, unit="mm")
    drawn.suptitle(subject.scan)
    return drawn


def plane_of(values: np.ndarray, axis: int, centre: Sequence[int]) -> np.ndarray:
    """The slice through a voxel across one of the last three axes (x, y, z), as rows from the top."""
    return np.flip(np.take(values, centre[axis], axis - 3).swapaxes(-1, -2), -2)


def in_plane(displacement: np.ndarray, axis: int, centre: Sequence[int]) -> np.ndarray:
    """The displacement (3, x, y, z) within that slice: (2, rows, columns), down and to the right, voxels."""
    across, up = (other for other in range(3) if other != axis)
    return np.stack([-plane_of(displacement[up], axis, centre), plane_of(displacement[across], axis, centre)])


def draw_changes(
    part, images: Sequence[np.ndarray], changes: dict[str, Sequence[np.ndarray]], names: Sequence[str] = ()
) -> None:
    """One row an image: as it is, then with each change over it, all in one range; `names` stand before the rows."""
    panels = part.subplots(len(images), 1 + len(changes), squeeze=False)
    every = np.concatenate([np.abs(change).ravel() for of_method in changes.values() for change in of_method])
    limit = max(float(np.percentile(every, 99.5)), 1e-6)
    grey = tuple(np.percentile(np.concatenate([image.ravel() for image in images]), (0.5, 99.5)))
    for number, (row, image) in enumerate(zip(panels, images, strict=True)):
        for axes, title in zip(row, ["patient", *changes], strict=True):
            axes.imshow(image, cmap="gray", vmin=grey[0], vmax=grey[1])
            axes.set(xticks=[], yticks=[])
            if number == 0:
                axes.set_title(TITLES.get(title, title))
        if len(names):
            row[0].set_ylabel(names[number])
        for axes, values in zip(row[1:], changes.values(), strict=True):
            visible = np.clip(np.abs(values[number]) / limit * 2, 0, 1)
            shown = axes.imshow(values[number], cmap=BRIGHTNESS, vmin=-limit, vmax=limit, alpha=visible)
    mappable = matplotlib.cm.ScalarMappable(shown.norm, BRIGHTNESS)
    label = f"Change of intensity by the disease, ±{limit:.2g}\n(green: darker, pink: brighter)"
    part.colorbar(mappable, ax=panels, label=label, shrink=0.8, format=short)


@dataclass(frozen=True)
class Moved:
    """An image (rows, columns) with its name and where it is moved to: (2, rows, columns), pixels, pull-back."""

    name: str
    image: np.ndarray
    displacement: np.ndarray


def draw_displacement(
    part,
    moved: Sequence[Moved],
    method: str = "defigan",
    spacing: int = SPACING,
    longer: int = 1,
    pixel: float = 1.0,
    unit: str = "pixels",
) -> None:
    """Arrows from where the intensity comes to where it goes, over each image and over a crop of it.

    Args:
        moved: what is drawn; a crop lies beside its image, or below it where there are several.
        method: whose displacement it is.
        spacing: pixels between two arrows; half of it in a crop.
        longer: how many times longer than the displacement the arrows are drawn, about its middle.
        pixel: edge of a pixel in `unit`, which the colours are in.
    """
    several = len(moved) > 1
    panels = part.subplots(2, len(moved), squeeze=False) if several else part.subplots(1, 2, squeeze=False).T
    longest = max(max(float(np.linalg.norm(one.displacement, axis=0).max()) for one in moved) * pixel, 1e-6)
    scale = "true to scale" if longer == 1 else f"{longer} times as long"
    for (whole, crop), one in zip(panels.T, moved, strict=True):
        for axes, step, title in ((whole, spacing, "whole image"), (crop, max(spacing // 2, 1), "crop")):
            arrows = _arrows(axes, one, step, longer, pixel, longest)
            axes.set_title((f"{one.name}, " if one.name else "") + f"{title}:\narrows {scale}, one every {step}")
        low, high = _crop(one)
        crop.set(xlim=(low[1] - 0.5, high[1] - 0.5), ylim=(high[0] - 0.5, low[0] - 0.5))
    label = f"Displacement in the plane ({unit}), 0 to {longest:.2g}"
    part.colorbar(arrows, ax=panels, label=label, shrink=0.8, format=short)
    part.suptitle(f"{TITLES[method]} takes the disease out of the first patient", fontsize=9)


def _arrows(axes, one: Moved, step: int, longer: int, pixel: float, longest: float):
    shape = one.image.shape
    rows, columns = np.mgrid[step // 2 : shape[0] : step, step // 2 : shape[1] : step]
    down, right = one.displacement[:, rows, columns]
    axes.imshow(one.image, cmap="gray")
    axes.set(xticks=[], yticks=[])
    # Longer arrows still have their middle where the true ones have it.
    start = columns + right * (1 + longer) / 2, rows + down * (1 + longer) / 2
    return axes.quiver(
        *(*start, -longer * right, -longer * down, np.hypot(down, right) * pixel),
        **{"angles": "xy", "scale_units": "xy", "scale": 1, "cmap": SEQUENTIAL, "clim": (0, longest)},
    )


def _crop(one: Moved) -> tuple[np.ndarray, np.ndarray]:
    """Corners (row, column) of the part around the longest displacement that is seen: not that of background."""
    image, shape = one.image, np.array(one.image.shape)
    seen = np.linalg.norm(one.displacement, axis=0) * (image > image.min() + 0.1 * np.ptp(image))
    half = CROP * shape / 2
    longest = np.unravel_index(np.argmax(seen), seen.shape) if seen.any() else shape / 2
    place = np.clip(longest, half, shape - half)
    return place - half, place + half


CURVES = {
    "distance": ("Critic's distance\nE D(x0^) - E D(x0)", "validation_distance"),
    "penalty": ("Penalty on the\ncritic's gradient", None),
    "regulariser": ("Regulariser", "validation_regulariser"),
    "validation_ncc": ("NCC, validation", None),
}


def training_figure(histories: dict[str, list[pd.DataFrame]]):
    """How the trainings went: one column a method, one line a seed; a dot marks the generator that was taken.

    Args:
        histories: method -> of each seed, the table of `counterwarp.training.adversarial.train_generator`.
    """
    drawn = figure(5 * len(histories) + 1, 8)
    panels = drawn.subplots(len(CURVES), len(histories), squeeze=False, sharex="col")
    for column, (method, of_seeds) in zip(panels.T, histories.items(), strict=True):
        column[0].set_title(TITLES.get(method, method))
        for axes, (name, (label, held_out)) in zip(column, CURVES.items(), strict=True):
            for number, history in enumerate(of_seeds):
                taken = history[history["chosen"]]
                shown = held_out or name
                axes.plot(history["update"], history[name], color=f"C{number}", linewidth=0.8)
                if held_out:
                    axes.plot(history["update"], history[held_out], color=f"C{number}", linewidth=0.8, linestyle=":")
                axes.plot(taken["update"], taken[shown], "o", color=f"C{number}", markersize=5)
            axes.set_ylabel(label)
            axes.axhline(0, color=GREY, linewidth=0.6)
        column[-1].set_xlabel("Updates of the generator (line: training, dotted: validation, dot: taken)")
    return drawn
