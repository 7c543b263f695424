"""Warping by a displacement field, the change of volume that it makes, its inverse.

A displacement is (batch, axes, *grid), in voxels, along the axes of the array, and pulls back: the warped image is
X^(p) = X(p + displacement(p)). Torch's own grid_sample does the work: importing monai for its Warp, which calls the
same function, costs 1.3 s more per job.
"""

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

from counterwarp.networks.layers import LINEAR

# Where a map folds or nearly so, the determinant is set to this before the logarithm is taken.
SMALLEST_DETERMINANT = 0.01
# An inverse is found when a step moves no voxel by more than this, voxels, or after so many steps.
INVERSION_TOLERANCE, INVERSION_STEPS = 1e-4, 30
# A velocity of 2 voxels starts with a step of a sixteenth of a voxel.
SQUARINGS = 5
# Of the eight corners of a cube, the two sets of four of which no two are neighbours.
TETRAHEDRA = (((0, 0, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1)), ((1, 1, 1), (0, 0, 1), (0, 1, 0), (1, 0, 0)))


def identity(grid: torch.Size, like: Tensor) -> Tensor:
    """Position of each voxel: (1, axes, *grid), voxels."""
    axes = [torch.arange(n, dtype=like.dtype, device=like.device) for n in grid]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]


def warp(images: Tensor, displacement: Tensor, fill: float | None = None) -> Tensor:
    """Linear interpolation of images (batch, channels, *grid) at p + displacement(p).

    Args:
        fill: value beyond the border, to which half a voxel outside it leads; it should be that of the background. None
            has the border's value go on, which for a packed image is its constant background.
    """
    if fill is not None:
        return _sample(images - fill, displacement, "zeros") + fill
    return _sample(images, displacement, "border")


def _sample(images: Tensor, displacement: Tensor, padding: str) -> Tensor:
    grid = images.shape[2:]
    last = torch.tensor(grid, dtype=displacement.dtype, device=displacement.device).sub(1).clamp(min=1)
    # grid_sample wants positions from -1 to 1, the components last, and the last axis of the array first.
    rest = 2 * identity(grid, displacement).movedim(1, -1) / last - 1
    unit = torch.addcmul(rest, displacement.movedim(1, -1), 2 / last).flip(-1)
    return functional.grid_sample(images, unit, mode="bilinear", padding_mode=padding, align_corners=True)


def jacobian_determinant(displacement: Tensor) -> Tensor:
    """det(I + grad displacement) at each voxel, (batch, *grid), by central differences (one-sided at the border).

    1 where nothing changes; 0 or less where the map folds. Above 1 the warped image samples a larger piece of the
    source, so the tissue there was *compressed*.
    """
    return _determinant(torch.gradient(displacement, dim=list(range(2, displacement.dim()))))


def integrate(velocity: Tensor) -> Tensor:
    """Displacement (voxels) of the flow exp(v) of a stationary velocity (batch, axes, *grid) after unit time.

    Scaling and squaring: from phi = v / 2^n, n times phi(p) <- phi(p) + phi(p + phi(p))  (Arsigny et al. 2006).
    The flow of -v is the inverse.
    """
    displacement = velocity / 2**SQUARINGS
    for _ in range(SQUARINGS):
        displacement = displacement + warp(displacement, displacement)
    return displacement


def resize(displacement: Tensor, grid: torch.Size) -> Tensor:
    """The same displacement (batch, axes, *any grid) on another grid over the same extent, in voxels of that grid."""
    if displacement.shape[2:] == grid:
        return displacement
    finer = [new / old for new, old in zip(grid, displacement.shape[2:], strict=True)]
    ratio = torch.tensor(finer, dtype=displacement.dtype, device=displacement.device)
    moved = functional.interpolate(displacement, size=grid, mode=LINEAR[len(grid)], align_corners=False)
    return moved * ratio.reshape(1, -1, *[1] * len(grid))


def folded(displacement: Tensor) -> Tensor:
    """Voxels where the map p + displacement(p), linear between voxels, is turned inside out: (batch, *grid) bool.

    The determinant is taken with forward or backward differences along each axis, in all combinations, and in 3-D in
    the two tetrahedra that these leave out of each cube of eight voxels (Liu et al. 2024, digital diffeomorphisms).
    Central differences skip the voxel itself and miss folds. Differences that would leave the grid are taken as none.
    """
    axes = displacement.shape[1]
    bad = torch.zeros(displacement.shape[:1] + displacement.shape[2:], dtype=torch.bool, device=displacement.device)
    steps = {sign: [_difference(displacement, axis, sign) for axis in range(axes)] for sign in (1, -1)}
    for signs in product((1, -1), repeat=axes):
        rows = [steps[sign][axis] for axis, sign in enumerate(signs)]
        bad |= _determinant(rows) <= 0
    if axes == 3:
        for corners in TETRAHEDRA:
            bad[:, :-1, :-1, :-1] |= _tetrahedron(displacement, corners) <= 0
    return bad


def _difference(field: Tensor, axis: int, sign: int) -> Tensor:
    """field(p + e) - field(p) or field(p) - field(p - e) along a spatial axis; 0 where that leaves the grid."""
    step = field.diff(dim=axis + 2)
    edge = torch.zeros_like(field.narrow(axis + 2, 0, 1))
    return torch.cat([step, edge] if sign > 0 else [edge, step], dim=axis + 2)


def _determinant(derivatives: Sequence[Tensor]) -> Tensor:
    """det(I + J) with J's columns the derivatives (batch, axes, *grid) along each axis."""
    columns = [column.clone() for column in derivatives]
    for axis, column in enumerate(columns):
        column[:, axis] += 1
    return _volume(columns)


def _volume(columns: Sequence[Tensor]) -> Tensor:
    """The determinant of a matrix at each voxel, given by its columns (batch, axes, *grid).

    Written out: torch.linalg.det, which factorises matrix by matrix, takes ten times as long.
    """
    a, b, *others = (column.unbind(1) for column in columns)
    if not others:
        return a[0] * b[1] - a[1] * b[0]
    (c,) = others
    return a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])


def _tetrahedron(field: Tensor, corners: tuple) -> Tensor:
    """Volume, as a share of that at rest, of the tetrahedron of four corners of every cube of eight voxels."""
    at_rest = torch.tensor(corners, dtype=field.dtype, device=field.device)
    moved = [
        field[(..., *(slice(c, n - 1 + c) for c, n in zip(corner, field.shape[2:], strict=True)))]
        + place.reshape(3, 1, 1, 1)
        for corner, place in zip(corners, at_rest, strict=True)
    ]
    edges = [place - moved[0] for place in moved[1:]]
    return _volume(edges) / torch.linalg.det(at_rest[1:] - at_rest[0])


def tissue_log_change(displacement: Tensor) -> tuple[Tensor, Tensor]:
    """Log of the tissue's volume change from the source to the warped image, and where it has none.

    Returns:
        -log det(I + grad displacement), (batch, *grid), in the frame of the warped image; expansion is positive.
        bool, (batch, *grid): the map folds here (`folded`); where the central determinant is below
            SMALLEST_DETERMINANT the value is that of the latter.
    """
    determinant = jacobian_determinant(displacement)
    return -determinant.clamp(min=SMALLEST_DETERMINANT).log(), folded(displacement)


def invert(displacement: Tensor) -> Tensor:
    """The displacement psi with p + psi(p) + displacement(p + psi(p)) = p, by fixed point; voxels.

    It converges where the displacement changes by less than a voxel from one voxel to the next.
    """
    inverse = -displacement
    for _ in range(INVERSION_STEPS):
        before, inverse = inverse, -warp(displacement, inverse)
        if (inverse - before).abs().max() < INVERSION_TOLERANCE:
            break
    return inverse


def to_source_frame(values: Tensor, displacement: Tensor) -> Tensor:
    """Carry values (batch, *grid) that lie in the warped image's frame to the frame of the source image."""
    return warp(values[:, None], invert(displacement))[:, 0]
