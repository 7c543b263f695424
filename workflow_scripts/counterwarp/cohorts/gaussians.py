"""The 2-D benchmark of Liu et al. 2021, section 4.1: Gaussians whose magnitude tells two groups apart."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Range of the magnitude (uniform) off the diagonal in each group, and on the diagonal in both.
OFF_DIAGONAL = {"control": (1.0, 5.0), "patient": (4.0, 8.0)}
DIAGONAL = (1.0, 6.0)
# In [4, 5] lies a quarter of either group, and nothing tells there which: half of that quarter is lost.
BAYES_ACCURACY = 1 - 0.25 / 2


@dataclass(frozen=True)
class Gaussians:
    """n images of the benchmark, their truth and what they were drawn from.

    Attributes:
        images: (n, 2 block, 2 block) float32.
        truth: the same shape: the expected change from control to patient, the two off-diagonal Gaussians times the
            difference of the groups' mean magnitudes.
        index: row, scan, subject, group, split, baseline, magnitude (shared by both off-diagonal Gaussians).
    """

    images: np.ndarray
    truth: np.ndarray
    index: pd.DataFrame


def draw(
    each: int,
    block: int,
    width: float,
    jitter: float,
    noise: float,
    validation_share: float,
    test_share: float,
    seed: int,
) -> Gaussians:
    """Draw both groups, shuffled within each into the splits.

    Each image holds one Gaussian in each of 2 x 2 blocks. The two off the diagonal share one magnitude, which alone
    differs between the groups: independent ones would allow an accuracy of 1 - 1/32, not the paper's 1 - 1/8.

    Args:
        each: images of each group.
        block: edge of a block, pixels.
        width: sd of a Gaussian, pixels.
        jitter: a Gaussian's centre is uniform within this many pixels of its block's centre, along both axes.
        noise: sd of the white noise.
        validation_share, test_share: of the images of each group.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    groups = np.repeat(["control", "patient"], each)
    low, high = np.array([OFF_DIAGONAL[group] for group in groups]).T
    off = rng.uniform(low, high)
    on = rng.uniform(*DIAGONAL, (2, 2 * each))
    shapes = _shapes(rng, 2 * each, block, width, jitter)
    images = np.einsum("knxy,kn->nxy", shapes, np.stack([on[0], off, off, on[1]]))
    images += rng.normal(0, noise, images.shape)
    difference = np.mean(OFF_DIAGONAL["patient"]) - np.mean(OFF_DIAGONAL["control"])
    order = np.concatenate([rng.permutation(each), rng.permutation(each)])
    n_test, n_validation = round(test_share * each), round(validation_share * each)
    split = np.where(order < n_test, "test", np.where(order < n_test + n_validation, "validation", "train"))
    names = [f"sub-{i + 1:0{len(str(2 * each))}d}" for i in range(2 * each)]
    index = pd.DataFrame({"scan": names, "subject": [name[4:] for name in names], "group": groups, "split": split})
    return Gaussians(
        images.astype(np.float32),
        (difference * (shapes[1] + shapes[2])).astype(np.float32),
        index.assign(baseline=True, magnitude=off).rename_axis("row").reset_index(),
    )


def _shapes(rng: np.random.Generator, n: int, block: int, width: float, jitter: float) -> np.ndarray:
    """Gaussians of magnitude 1: (4 blocks in the order of reading, n, 2 block, 2 block)."""
    axis = np.arange(2 * block)
    shapes = []
    for row in (0, 1):
        for column in (0, 1):
            centres = (np.array([[row], [column]]) + 0.5) * block - 0.5 + rng.uniform(-jitter, jitter, (2, n))
            x, y = (np.exp(-((axis - centre[:, None]) ** 2) / (2 * width**2)) for centre in centres)
            shapes.append(x[:, :, None] * y[:, None, :])
    return np.stack(shapes)
