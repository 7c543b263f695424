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

    Seeds grow through fluid at one pace, one voxel along an axis a step; what two reach in the same step, the one named
    later has. A voxel at the edge counts by its own share of fluid.

    Args:
        fluid: (x, y, z) probability of CSF.
        carried: of each ventricle, the share (x, y, z) of a voxel that the template's is carried to.
        other: bool, where other fluid is, as carried.
        inside: bool, the brain.
        voxel_mm: edges.

    Returns:
        One array (x, y, z) for each of `carried`, 0 to 1.
    """
    wet = (fluid > FLUID) & inside
    surface = distance_transform_edt(inside, sampling=voxel_mm) < SURFACE_MM
    owner = np.zeros(fluid.shape, np.int8)
    last = len(carried) + 1
    owner[wet & (surface | other)] = last
    for number, share in enumerate(carried, 1):
        owner[wet & (share > FLUID)] = number
    grow(owner, wet)
    found = []
    for number in range(1, last):
        own = owner == number
        edge = binary_dilation(own) & (owner == 0) & inside
        found.append(np.where(own | edge, fluid, 0))
    return found


def grow(owner: np.ndarray, within: np.ndarray) -> None:
    """Let labels grow into their neighbours inside a mask, all at one pace, until none can; in place.

    Args:
        owner: (x, y, z) whole numbers, 0 where there is none yet.
        within: bool, where they may go.
    """
    while True:
        free = within & (owner == 0)
        reached = [(number, binary_dilation(owner == number) & free) for number in range(1, owner.max() + 1)]
        if not any(mask.any() for _, mask in reached):
            return
        for number, mask in reached:
            owner[mask] = number
