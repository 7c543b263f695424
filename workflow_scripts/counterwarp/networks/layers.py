"""The layers of torch by the number of spatial dimensions, so that every network is written once for 2-D and 3-D."""

from torch import nn

CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
MAX_POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
# Names of linear interpolation.
LINEAR = {2: "bilinear", 3: "trilinear"}


def pooled(grid: tuple[int, ...], times: int) -> tuple[int, ...]:
    """Shape of a grid after halving each axis (rounded down) a number of times.

    Raises:
        ValueError: where nothing is left of an axis.
    """
    shape = tuple(n // 2**times for n in grid)
    if min(shape) < 1:
        raise ValueError(f"a grid of {'x'.join(map(str, grid))} cannot be pooled {times} times: give fewer channels")
    return shape
