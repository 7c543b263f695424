"""The toy benchmark of DeFI-GAN: squares with a texture, whose size tells two groups apart."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import affine_transform, gaussian_filter

BACKGROUND, SQUARE, TEXTURE_SD = -0.5, 0.5, 0.5
# Half of the square's side as a share of the grid: 89 of 224 pixels.
HALF_SIDE = 89 / 224
# s = round(SCALE Weibull(SHAPE), 2); below LIMIT a patient's.
SCALE, SHAPE, LIMIT = 0.75, 7.0, 0.7
# All scales that there are, but for one in a million.
SCALES = np.arange(5, 115) / 100
# Added to the seed, once a split.
APART = 1_000_003


@dataclass(frozen=True)
class Toy:
    """n images of the benchmark, their truth and what they were drawn from.

    Attributes:
        images: (n, grid, grid) float32.
        truth: the same shape: the change of intensity by the disease, a patient's image minus a control's of the same
            canvas. One of the two is the image, the other has a scale that only the truth knows.
        index: row, scan, subject, group, split, baseline, scale, other_scale, ceiling (see `ceiling`).
    """

    images: np.ndarray
    truth: np.ndarray
    index: pd.DataFrame


def draw(grid: int, texture: float, train: int, validation: int, test: int, seed: int) -> Toy:
    """Draw each split with a seed of its own: the published splits share one, and so their images.

    Args:
        grid: edge of an image, pixels (the paper: 224).
        texture: sd of the kernel that smooths the noise inside the square, pixels (the paper: 2.5).
        train, validation, test: images of each group in each split.
        seed: of everything.
    """
    rows, images, truth = [], [], []
    for number, (split, each) in enumerate({"train": train, "validation": validation, "test": test}.items()):
        rng = np.random.default_rng(seed + number * APART)
        for group in np.repeat(["control", "patient"], each):
            canvas = draw_canvas(rng, grid, texture)
            scale, other = (
                float(draw_scale(rng, of_patient)) for of_patient in (group == "patient", group != "patient")
            )
            image, counterpart = resize(canvas, scale), resize(canvas, other)
            images.append(image)
            truth.append(image - counterpart if group == "patient" else counterpart - image)
            rows.append({"group": group, "split": split, "scale": scale, "other_scale": other})
            rows[-1]["ceiling"] = ceiling(canvas, scale, group == "patient") if split == "test" else np.nan
    names = [f"sub-{i + 1:0{len(str(len(rows)))}d}" for i in range(len(rows))]
    index = pd.DataFrame({"scan": names, "subject": [name[4:] for name in names]}).join(pd.DataFrame(rows))
    index.insert(4, "baseline", True)
    return Toy(
        np.stack(images).astype(np.float32),
        np.stack(truth).astype(np.float32),
        index.rename_axis("row").reset_index(),
    )


def draw_canvas(rng: np.random.Generator, grid: int, texture: float) -> np.ndarray:
    """A square with a texture at the centre of a constant background, (grid, grid)."""
    away = np.abs(np.arange(grid) - (grid - 1) / 2) <= HALF_SIDE * grid
    noise = gaussian_filter(rng.normal(size=(grid, grid)), texture, mode="wrap")
    inside = np.outer(away, away)
    return np.where(inside, SQUARE + TEXTURE_SD * noise / noise[inside].std(), BACKGROUND)


def draw_scale(rng: np.random.Generator, of_patient: bool) -> float:
    """A scale of one group, by drawing until it is."""
    while True:
        scale = round(SCALE * rng.weibull(SHAPE), 2)
        if (scale < LIMIT) == of_patient:
            return scale


def resize(canvas: np.ndarray, scale: float) -> np.ndarray:
    """The canvas made larger (scale above 1) or smaller about its centre, linearly, on its own grid."""
    centre = (np.array(canvas.shape) - 1) / 2
    return affine_transform(canvas, np.eye(2) / scale, centre - centre / scale, order=1, cval=BACKGROUND)


def probabilities(of_patient: bool) -> Iterator[tuple[float, float]]:
    """Each scale of a group that there is, with its probability."""
    share = -np.diff(np.exp(-((np.append(SCALES - 0.005, SCALES[-1] + 0.005) / SCALE) ** SHAPE)))
    chosen = (SCALES < LIMIT - 1e-9) == of_patient
    return zip(SCALES[chosen], share[chosen] / share[chosen].sum(), strict=True)


def ceiling(canvas: np.ndarray, scale: float, of_patient: bool) -> float:
    """The highest mean NCC to the truth that any prediction can have that does not know the other scale.

    With t(s) the truth of the other scale s, centred and divided by its norm, a prediction p of mean zero and norm one
    has the mean NCC <p, E t(s)>, which is highest for p in the direction of E t(s), where it is ||E t(s)||.

    Args:
        canvas: (grid, grid).
        scale: of the image.
        of_patient: whose the image is.
    """
    image, mean = resize(canvas, scale), 0.0
    for other, share in probabilities(not of_patient):
        change = resize(canvas, other) - image
        change -= change.mean()
        mean = mean + share * change / np.linalg.norm(change)
    return float(np.linalg.norm(mean))
