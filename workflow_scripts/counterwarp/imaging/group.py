"""Average of the subjects' maps in the space of the template."""

from collections.abc import Iterable

import numpy as np

from counterwarp.arrays import Rows
from counterwarp.errors import CounterwarpError
from counterwarp.imaging.io import read_volume, write_image
from counterwarp.imaging.warp import Field, carry, read_field


def group_map(
    maps: str, rows: list[int], warps: list[str], affine: np.ndarray, template_mask: str, output: str, space: str
) -> None:
    """Write the mean of some scans' maps on the template's grid, 0 outside the template's brain.

    Args:
        maps: array (n, x, y, z) on the network's grid, each map in the space of its own scan.
        rows: which of them.
        warps: field of each of these scans that brings its images to the template.
        affine: voxel -> world mm of the network's grid.
        template_mask: brain mask on the template's grid.
        output: NIfTI.
        space: of the template.

    Raises:
        CounterwarpError: there is no scan to average.
    """
    if not rows:
        raise CounterwarpError(
            "no baseline scan is left to average: see the failures, or set group.split to another split"
        )
    mask, found = read_volume(template_mask), Rows(np.load(maps, mmap_mode="r"), rows)
    fields = (read_field(warp).on(mask.shape, mask.affine) for warp in warps)
    mean = mean_map(zip(found, fields, strict=True), affine)
    write_image(mean * (mask.data > 0.5), mask.affine, output, space)


def mean_map(pairs: Iterable[tuple[np.ndarray, Field]], affine: np.ndarray) -> np.ndarray:
    """Mean of maps (x, y, z), each carried by its own field; float32 on the grid of the fields."""
    total, count = 0.0, 0
    for values, field in pairs:
        total = total + carry(values, affine, field)
        count += 1
    return (total / count).astype(np.float32)
