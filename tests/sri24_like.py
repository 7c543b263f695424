"""A small folder like SRI24's: the MNI152 brain in its file format, with 116 regions of its names' form."""

from pathlib import Path

import nibabel as nib
import numpy as np
from counterwarp.cohorts.phantom import mni152
from counterwarp.resources import RESOURCES
from scipy.ndimage import binary_closing, binary_fill_holes

FILES = tuple(RESOURCES["sri24"].files)
VOXEL_MM = 3.0
ORBITAL = {5: "Frontal_Sup_Orb", 21: "Olfactory", 25: "Frontal_Med_Orb", 27: "Rectus"}


def names() -> dict[int, str]:
    pairs = {label: ORBITAL.get(label, f"Region_{label}") for label in range(1, 108, 2)}
    sides = {label + i: f"{name}_{'LR'[i]}" for label, name in pairs.items() for i in (0, 1)}
    return dict(sorted(sides.items())) | {label: f"Vermis_{label}" for label in range(109, 117)}


def write_sri24_like(folder: Path) -> Path:
    """Write the four files: axes LAS, the origin at a corner, a fourth axis of length one, no qform, labels to 607."""
    folder.mkdir(parents=True, exist_ok=True)
    t1, grey, white = (mni152(name, VOXEL_MM).get_fdata(dtype=np.float32) for name in ("t1", "gm", "wm"))
    brain = binary_fill_holes(binary_closing(t1 > 0.1, iterations=2))
    tissues = np.where(brain, np.argmax([np.full(t1.shape, 0.3), grey, white], axis=0) + 1, 0)
    images = (1000 * t1 * brain, tissues, _labels(brain))
    affine = np.diag([-VOXEL_MM, VOXEL_MM, VOXEL_MM, 1])
    for name, data in zip(FILES, images, strict=False):
        image = nib.Nifti1Image(data[::-1, :, :, None].astype(np.int16), affine)
        image.set_sform(affine, 1)
        image.set_qform(None, 0)
        nib.save(image, folder / name)
    rows = [f"{label}\t{name}\t\t0\t0\t0\t255" for label, name in names().items()]
    # As in SRI24, not every larger label has a name.
    (folder / FILES[3]).write_text(
        "\n".join(["0\tBackground\t\t0\t0\t0\t0", *rows, "607     Pons_x111   1 1 1 255"]) + "\n"
    )
    return folder


def _labels(brain: np.ndarray) -> np.ndarray:
    """54 blocks of as many voxels on either side, 8 in the midline, and two slices of larger labels."""
    labels = np.zeros(brain.shape, np.int16)
    x, y, z = np.argwhere(brain).T
    away = x - (brain.shape[0] - 1) / 2
    column = np.minimum((9 * y.argsort().argsort()) // len(y), 8)
    blocks = np.zeros(len(y), int)
    for part in range(9):
        members = np.flatnonzero(column == part)
        blocks[members] = 6 * part + (6 * z[members].argsort().argsort()) // len(members)
    sides = 2 * blocks + np.where(away < 0, 1, 2)
    midline = 109 + (8 * y.argsort().argsort()) // len(y)
    labels[x, y, z] = np.where(np.abs(away) < 1, midline, sides)
    top = z.max()
    labels[x[z == top], y[z == top], top] = 607
    labels[x[z == top - 1], y[z == top - 1], top - 1] = 422
    return labels
