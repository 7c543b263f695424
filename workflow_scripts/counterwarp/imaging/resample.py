"""Bring an image from one voxel grid to another through an affine map of the world, without aliasing."""

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter

from counterwarp.imaging.io import Volume

FWHM_PER_SD = 2 * np.sqrt(2 * np.log(2))


def resample(
    data: np.ndarray,
    affine: np.ndarray,
    shape: tuple[int, int, int],
    target_affine: np.ndarray,
    world: np.ndarray | None = None,
    order: int = 1,
) -> np.ndarray:
    """Interpolate an image at the voxels of another grid.

    Args:
        data: (x, y, z).
        affine: its voxel -> source world mm.
        shape: of the target grid.
        target_affine: the target's voxel -> target world mm.
        world: 4 x 4, source world mm -> target world mm; None for the same world.
        order: of the spline; 0 takes the nearest voxel.

    Returns:
        float32 of `shape`; 0 outside the source. Where the target's voxels are larger than the source's the image is
        first blurred to their size (order 0 excepted).
    """
    steps = np.linalg.inv(affine) @ (np.eye(4) if world is None else np.linalg.inv(world)) @ target_affine
    data = np.asarray(data, np.float32)
    if order > 0:
        data = blur(data, steps)
    return affine_transform(data, steps[:3, :3], steps[:3, 3], tuple(shape), order=order, mode="constant")


def blur(data: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Blur an image as far as its voxels are smaller than the target's, so that no detail is aliased.

    A voxel counts as a Gaussian whose full width at half maximum is its edge; variances add.

    Args:
        data: (x, y, z) float.
        steps: 4 x 4, target voxel -> source voxel.
    """
    edges = np.linalg.norm(steps[:3, :3], axis=1)
    sd = np.sqrt(np.maximum(edges**2 - 1, 0)) / FWHM_PER_SD
    return gaussian_filter(data, sd, mode="nearest") if sd.any() else data


def resample_inside(
    data: np.ndarray,
    mask: np.ndarray,
    affine: np.ndarray,
    shape: tuple[int, int, int],
    target_affine: np.ndarray,
    world: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """As `resample`, but of the masked part alone: nothing from outside the mask is mixed into it (linear).

    Returns:
        values: float32, 0 outside the new mask.
        mask: bool; voxels of which at least half lies in the old mask.
    """
    share = resample(mask, affine, shape, target_affine, world)
    total = resample(data * mask, affine, shape, target_affine, world)
    inside = share >= 0.5
    return np.where(inside, total / np.where(inside, share, 1), 0).astype(np.float32), inside


def shear(affine: np.ndarray) -> float:
    """How far the voxel axes are from being at right angles: the largest cosine between two of them (0: none)."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return float(np.abs(axes.T @ axes - np.eye(3)).max())


def corners(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    """World position of the eight corner voxels' centres, (8, 3) mm."""
    ends = np.stack(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij"), -1).reshape(-1, 3)
    return ends @ affine[:3, :3].T + affine[:3, 3]


def at_least(volume: Volume, edge_mm: float) -> Volume:
    """The volume itself, or resampled so that no voxel edge is shorter than `edge_mm`."""
    edges = volume.voxel_mm
    if edges.min() >= 0.95 * edge_mm:
        return volume
    steps = np.maximum(edge_mm / edges, 1)
    shape = tuple(int(n) for n in np.maximum(np.floor((np.array(volume.shape) - 1) / steps) + 1, 2))
    affine = volume.affine @ np.diag([*steps, 1])
    return Volume(resample(volume.data, volume.affine, shape, affine), affine)


def near_mask(volume: Volume, mask: np.ndarray, margin_mm: float) -> tuple[Volume, np.ndarray]:
    """The part of an image in the box of a mask and its margin, and the mask there.

    Args:
        volume: any.
        mask: bool, not empty, on its grid.
        margin_mm: around the mask; less where the image ends.
    """
    margin = np.ceil(margin_mm / volume.voxel_mm).astype(int)
    low = [max(int(at.min()) - more, 0) for at, more in zip(np.nonzero(mask), margin, strict=True)]
    box = tuple(
        slice(start, int(at.max()) + more + 1) for start, at, more in zip(low, np.nonzero(mask), margin, strict=True)
    )
    corner = np.eye(4)
    corner[:3, 3] = low
    return Volume(volume.data[box], volume.affine @ corner), mask[box]
