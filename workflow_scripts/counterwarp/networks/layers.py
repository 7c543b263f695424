"""The layers of torch by the number of spatial dimensions, so that every network is written once for 2-D and 3-D."""

import torch
from torch import Tensor, nn

CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
MAX_POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
# The features of a voxel beside each other in memory: on the CPU, convolutions with few features, their gradients and
# max-pooling are two to eight times faster so.
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
# The axis of (batch, channel, *grid) that runs from left to right.
MIRRORED = 2
# Names of linear interpolation.
LINEAR = {2: "bilinear", 3: "trilinear"}


def channels_last(values: Tensor) -> Tensor:
    """The same values (batch, features, *grid), or a kernel's, laid out as CHANNELS_LAST says."""
    return values.contiguous(memory_format=CHANNELS_LAST[values.dim() - 2])


def pooled(grid: tuple[int, ...], times: int) -> tuple[int, ...]:
    """Shape of a grid after halving each axis (rounded down) a number of times.

    Raises:
        ValueError: where nothing is left of an axis.
    """
    shape = tuple(n // 2**times for n in grid)
    if min(shape) < 1:
        raise ValueError(f"a grid of {'x'.join(map(str, grid))} cannot be pooled {times} times: give fewer channels")
    return shape
