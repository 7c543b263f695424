"""Warping by a displacement field, the change of volume that it makes, its inverse.

A displacement is (batch, axes, *grid), in voxels, along the axes of the array, and pulls back: the warped image is
X^(p) = X(p + displacement(p)). Torch's own grid_sample does the work: importing monai for its Warp, which calls the
same function, costs 1.3 s more per job.
"""

import torch
from torch import Tensor
from torch.nn import functional

# Where a map folds or nearly so, the determinant is set to this before the logarithm is taken.
SMALLEST_DETERMINANT = 0.01
INVERSION_STEPS = 30


def identity(grid: torch.Size, like: Tensor) -> Tensor:
    """Position of each voxel: (1, axes, *grid), voxels."""
    axes = [torch.arange(n, dtype=like.dtype, device=like.device) for n in grid]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]


def warp(images: Tensor, displacement: Tensor) -> Tensor:
    """Linear interpolation of images (batch, channels, *grid) at p + displacement(p).

    Beyond the border the border's value goes on, which for a packed image is its constant background.
    """
    grid = images.shape[2:]
    size = torch.tensor(grid, dtype=displacement.dtype, device=displacement.device).reshape(1, -1, *[1] * len(grid))
    unit = 2 * (identity(grid, displacement) + displacement) / (size - 1).clamp(min=1) - 1
    # grid_sample wants the positions last, and the last axis of the array first.
    return functional.grid_sample(
        images, unit.flip(1).movedim(1, -1), mode="bilinear", padding_mode="border", align_corners=True
    )


def jacobian_determinant(displacement: Tensor) -> Tensor:
    """det(I + grad displacement) at each voxel, (batch, *grid), by central differences (one-sided at the border).

    1 where nothing changes; 0 or less where the map folds. Above 1 the warped image samples a larger piece of the
    source, so the tissue there was *compressed*.
    """
    axes = displacement.shape[1]
    rows = torch.gradient(displacement, dim=list(range(2, 2 + axes)))
    jacobian = torch.stack(rows, dim=-1).movedim(1, -2)
    return torch.linalg.det(jacobian + torch.eye(axes, dtype=jacobian.dtype, device=jacobian.device))


def tissue_log_change(displacement: Tensor) -> tuple[Tensor, Tensor]:
    """Log of the tissue's volume change from the source to the warped image, and where it has none.

    Returns:
        -log det(I + grad displacement), (batch, *grid), in the frame of the warped image; expansion is positive.
        bool, (batch, *grid): the map folds here; the value beside it is that of SMALLEST_DETERMINANT.
    """
    determinant = jacobian_determinant(displacement)
    return -determinant.clamp(min=SMALLEST_DETERMINANT).log(), determinant <= 0


def invert(displacement: Tensor) -> Tensor:
    """The displacement psi with p + psi(p) + displacement(p + psi(p)) = p, by fixed point; voxels.

    It converges where the displacement changes by less than a voxel from one voxel to the next.
    """
    inverse = -displacement
    for _ in range(INVERSION_STEPS):
        inverse = -warp(displacement, inverse)
    return inverse


def to_source_frame(values: Tensor, displacement: Tensor) -> Tensor:
    """Carry values (batch, *grid) that lie in the warped image's frame to the frame of the source image."""
    return warp(values[:, None], invert(displacement))[:, 0]
