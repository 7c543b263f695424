"""The template and its tissues, from either atlas, on one grid."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_fill_holes, gaussian_filter

from counterwarp.cohorts import phantom
from counterwarp.cohorts.deform import Grid
from counterwarp.imaging.io import write_image
from counterwarp.imaging.resample import resample, resample_inside
from counterwarp.imaging.segment import TISSUES
from counterwarp.imaging.sri24 import read_sri24

# Room between the brain and the border of SRI24's grid.
MARGIN_MM = 4
# SRI24's tissues are one decision a voxel; as a prior they are as uncertain as a brain's registration to them.
PRIOR_SD_MM = 1.5


@dataclass(frozen=True)
class Atlas:
    """A template with its tissues.

    Attributes:
        affine: 4 x 4, voxel -> world mm (RAS), of everything here.
        brain: (x, y, z) skull-stripped T1, 0 outside the mask.
        mask: bool.
        tissues: probability of each of CSF, GM and WM; they sum to 1 in the mask and are 0 outside.
    """

    affine: np.ndarray
    brain: np.ndarray
    mask: np.ndarray
    tissues: dict[str, np.ndarray]


def write_atlas(atlas: Atlas, space: str, outputs: dict[str, str]) -> None:
    """Write an atlas.

    Args:
        atlas: what to write.
        space: what its world coordinates are.
        outputs: files `brain`, `brain_mask`, and one of each tissue.
    """
    images = {"brain": atlas.brain, "brain_mask": atlas.mask, **atlas.tissues}
    for name, data in images.items():
        write_image(data, atlas.affine, outputs[name], space)


def mni152(resolution_mm: float) -> Atlas:
    """nilearn's MNI152 2009 with its tissues; CSF is the rest of the brain.

    Args:
        resolution_mm: voxel edge.
    """
    head, brain = phantom.head(), phantom.mni152("t1", resolution_mm)
    points = Grid(brain.shape, resolution_mm, tuple(brain.affine[:3, 3])).points()
    inside = phantom.HEAD.sample(head.brain.astype(np.float32), points, outside="constant") > 0.5
    grey, white = (phantom.mni152(name, resolution_mm).get_fdata(dtype=np.float32) * inside for name in ("gm", "wm"))
    return Atlas(
        brain.affine,
        brain.get_fdata(dtype=np.float32) * 1000 * inside,
        inside,
        dict(zip(TISSUES, (np.clip(inside - grey - white, 0, 1), grey, white), strict=True)),
    )


def sri24(files: list[str], resolution_mm: float) -> Atlas:
    """SRI24 with its tissues.

    Args:
        files: of `read_sri24`, in its order.
        resolution_mm: voxel edge.
    """
    atlas = read_sri24(*files)
    affine = atlas.brain.affine
    inside = binary_fill_holes(atlas.tissues.data > 0)
    shape, grid = grid_around(inside, affine, resolution_mm)
    brain, mask = resample_inside(atlas.brain.data, inside, affine, shape, grid)
    blur = PRIOR_SD_MM / atlas.tissues.voxel_mm
    shares = [
        resample(gaussian_filter((atlas.tissues.data == label).astype(np.float32), blur), affine, shape, grid)
        for label in range(1, len(TISSUES) + 1)
    ]
    total = np.where(mask, sum(shares), 1)
    return Atlas(
        grid,
        brain,
        mask,
        {tissue: share * mask / total for tissue, share in zip(TISSUES, shares, strict=True)},
    )


def grid_around(inside: np.ndarray, affine: np.ndarray, voxel_mm: float) -> tuple[tuple[int, int, int], np.ndarray]:
    """Shape, and voxel -> world, of a grid around a brain, centred on its box, with a margin of at least 4 mm.

    Args:
        inside: (x, y, z) bool, in RAS order.
        affine: its voxel -> world mm.
        voxel_mm: voxel edge; with 1 mm, both here and in `inside`, the centres of the voxels stay where they are.
    """
    voxels = np.argwhere(inside)
    low, high = (ends @ affine[:3, :3].T + affine[:3, 3] for ends in (voxels.min(0), voxels.max(0)))
    shape = np.ceil((high - low + 2 * MARGIN_MM) / voxel_mm).astype(int) + 1
    grid = np.diag([voxel_mm] * 3 + [1.0])
    grid[:3, 3] = (low + high) / 2 - voxel_mm * (shape - 1) / 2
    return tuple(map(int, shape)), grid
