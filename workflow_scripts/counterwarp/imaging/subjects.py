"""The subjects' maps on the template, voxel by voxel, and what is computed there from them."""

import numpy as np

from counterwarp.arrays import mean_rows
from counterwarp.errors import CounterwarpError
from counterwarp.imaging.io import Volume, read_volume, write_image
from counterwarp.imaging.warp import carry, log_volume, read_field


def carried_maps(
    maps: list[str], rows: list[int], warps: list[str], affine: np.ndarray, template_mask: str
) -> tuple[np.ndarray, Volume]:
    """Subjects' maps at the voxels of the template's brain.

    Args:
        maps: arrays (n, x, y, z) on the network's grid, each map in the space of its own scan; one array a seed, of
            which the mean is taken.
        rows: which of the n.
        warps: field of each of these scans that brings its images to the template.
        affine: voxel -> world mm of the network's grid.
        template_mask: brain mask on the template's grid.

    Returns:
        (subjects, voxels), and the mask.

    Raises:
        CounterwarpError: there is no subject.
    """
    mask = read_volume(template_mask)
    values = [
        carry(of_scan, affine, _field(warp, mask))[mask.data > 0.5]
        for of_scan, warp in zip(mean_rows(maps, rows), warps, strict=True)
    ]
    return _stacked(values), mask


def volume_maps(warps: list[str], template_mask: str) -> tuple[np.ndarray, Volume]:
    """Subjects' log-volumes relative to the template (`log_volume`), as `carried_maps`."""
    mask = read_volume(template_mask)
    return _stacked([log_volume(_field(warp, mask))[mask.data > 0.5] for warp in warps]), mask


def write_voxels(values: np.ndarray, mask: Volume, output: str, space: str) -> None:
    """Write values (voxels,) as an image on the mask's grid, in the template's space, 0 outside."""
    image = np.zeros(mask.shape, np.float32)
    image[mask.data > 0.5] = values
    write_image(image, mask.affine, output, space)


def _field(warp: str, mask: Volume):
    return read_field(warp).on(mask.shape, mask.affine)


def _stacked(values: list[np.ndarray]) -> np.ndarray:
    if not values:
        raise CounterwarpError("no baseline scan is left: see the failures, or set group.split to another split")
    return np.stack(values)
