"""What a generator changes, where it moves it, how its training went (Bigolin Lanfredi et al. 2020, Fig. 2 to 4)."""

import matplotlib
import numpy as np
import pandas as pd

from counterwarp.figures.benchmark import TITLES, draw_ncc
from counterwarp.figures.style import GREY, SEQUENTIAL, figure

# Darker is green, brighter is pink.
BRIGHTNESS = "PiYG_r"
# Pixels between two arrows.
SPACING = 4
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
    draw_displacement(middle, images[0], displacement)
    draw_ncc(bottom.subplots(), table, methods)
    return drawn


def draw_changes(part, images: np.ndarray, changes: dict[str, np.ndarray]) -> None:
    """One row an image: as it is, then with each change over it, all in one range."""
    panels = part.subplots(len(images), 1 + len(changes), squeeze=False)
    limit = max(np.percentile(np.abs(values), 99.5) for values in changes.values())
    grey = tuple(np.percentile(images, (0.5, 99.5)))
    for number, (row, image) in enumerate(zip(panels, images, strict=True)):
        for axes, title in zip(row, ["patient", *changes], strict=True):
            axes.imshow(image, cmap="gray", vmin=grey[0], vmax=grey[1])
            axes.set(xticks=[], yticks=[])
            if number == 0:
                axes.set_title(TITLES.get(title, title))
        for axes, values in zip(row[1:], changes.values(), strict=True):
            visible = np.clip(np.abs(values[number]) / limit * 2, 0, 1)
            shown = axes.imshow(values[number], cmap=BRIGHTNESS, vmin=-limit, vmax=limit, alpha=visible)
    mappable = matplotlib.cm.ScalarMappable(shown.norm, BRIGHTNESS)
    part.colorbar(mappable, ax=panels, label=f"Change of intensity\nby the disease, ±{limit:.2g}", shrink=0.8)


def draw_displacement(part, image: np.ndarray, displacement: np.ndarray) -> None:
    """Arrows from where the intensity comes to where it goes, over the whole image and over a crop of it.

    Args:
        image: (rows, columns).
        displacement: (2, rows, columns), pixels, pull-back.
    """
    whole, crop = part.subplots(1, 2)
    length = np.linalg.norm(displacement, axis=0)
    longest = max(float(length.max()), 1e-6)
    # Where the background moves nothing is seen.
    seen = length * (image > image.min() + 0.1 * np.ptp(image))
    row, column = np.unravel_index(np.argmax(seen), seen.shape)
    half = CROP * np.array(image.shape) / 2
    centre = [np.clip(place, h, n - h) for place, h, n in zip((row, column), half, image.shape, strict=True)]
    for axes, spacing, title in ((whole, SPACING, "Whole image"), (crop, SPACING // 2, "Crop")):
        rows, columns = np.mgrid[spacing // 2 : image.shape[0] : spacing, spacing // 2 : image.shape[1] : spacing]
        down, right = displacement[:, rows, columns]
        axes.imshow(image, cmap="gray")
        arrows = axes.quiver(
            *(columns + right, rows + down, -right, -down, np.hypot(down, right)),
            **{"angles": "xy", "scale_units": "xy", "scale": 1, "cmap": SEQUENTIAL, "clim": (0, longest)},
        )
        axes.set(xticks=[], yticks=[], title=f"{title}: arrows in pixels, one every {spacing}")
    crop.set(
        xlim=(centre[1] - half[1] - 0.5, centre[1] + half[1] - 0.5),
        ylim=(centre[0] + half[0] - 0.5, centre[0] - half[0] - 0.5),
    )
    part.colorbar(arrows, ax=[whole, crop], label=f"Displacement (pixels), 0 to {longest:.2g}", shrink=0.8)
    part.suptitle("DeFI-GAN takes the disease out of the first patient", fontsize=9)


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
