"""The layers of torch by the number of spatial dimensions, so that every network is written once for 2-D and 3-D."""

import torch
from torch import Tensor, nn
from torch.nn import functional

# On the CPU, torch convolves a single image with no more values than this, the last axis not counted, by a slow loop.
SLOW_UP_TO = 20_480


class Convolution3d(nn.Conv3d):
    """torch's own; on the CPU, a single small image goes as a batch of two, its halves, because torch is slow with one.

    It is several times faster so, forwards, backwards and in second derivatives.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Convolve (batch, in_channels, *grid)."""
        small = features[0, ..., 0].numel() <= SLOW_UP_TO
        same_size = self.kernel_size == (3, 3, 3) and self.padding == (1, 1, 1)
        if len(features) == 1 and features.device.type == "cpu" and small and same_size:
            return self._by_halves(features)
        return super().forward(features)

    def _by_halves(self, features: Tensor) -> Tensor:
        length = features.shape[2]
        half = (length + 1) // 2
        padded = functional.pad(features, (0, 0, 0, 0, 1, 1 + 2 * half - length))
        halves = channels_last(torch.cat([padded[:, :, : half + 2], padded[:, :, half:]]))
        convolved = functional.conv3d(halves, self.weight, self.bias, padding=(0, 1, 1))
        # With the features of a voxel beside each other, the two lie in memory as the whole does.
        return convolved.movedim(1, -1).flatten(0, 1).movedim(-1, 0)[None, :, :length]


CONVOLUTION = {2: nn.Conv2d, 3: Convolution3d}
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
