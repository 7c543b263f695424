"""The lateral ventricles of a scan: the fluid that hangs together, whatever the template's look like.

A registration carries the template's narrow ventricles only a part of the way to those of an old brain. What it carries
lies inside them all the same, and from there fluid is followed from voxel to voxel, until it meets fluid of another
kind that is followed likewise.
"""

import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt

# Fluid this near to the brain's surface is not in its ventricles.
SURFACE_MM = 8.0
FLUID = 0.5


def connected_fluid(
    fluid: np.ndarray, carried: list[np.ndarray], other: np.ndarray, inside: np.ndarray, voxel_mm: np.ndarray
) -> list[np.ndarray]:
    """The share of each voxel that is fluid of each ventricle.

    Seeds grow through fluid at one pace; where two meet, each keeps what is nearer to it on the way through fluid. A
    voxel at the edge counts by its own share of fluid.

    Args:
        fluid: (x, y, z) probability of CSF.
        carried: of each ventricle, the share (x, y, z) of a voxel that the template's is carried to.
        other: bool, where other fluid is, as carried.
        inside: bool, the brain.
        voxel_mm: edges.

    Returns:
        One array (x, y, z) for each of `carried`, 0 to 1.
    """
    # Half a second of import, which those that only ask for the names of regions do without.
    from skimage.segmentation import watershed

    wet = (fluid > FLUID) & inside
    surface = distance_transform_edt(inside, sampling=voxel_mm) < SURFACE_MM
    seeds = np.zeros(fluid.shape, np.int32)
    last = len(carried) + 1
    seeds[wet & (surface | other)] = last
    for number, share in enumerate(carried, 1):
        seeds[wet & (share > FLUID)] = number
    # Over a flat image a watershed is the growth of all seeds at one pace.
    owner = watershed(np.zeros(fluid.shape, np.uint8), seeds, connectivity=1, mask=wet)
    found = []
    for number in range(1, last):
        own = owner == number
        edge = binary_dilation(own) & (owner == 0) & inside
        found.append(np.where(own | edge, fluid, 0))
    return found
