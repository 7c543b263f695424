"""The layers of torch by the number of spatial dimensions, so that every network is written once for 2-D and 3-D."""

import torch
from torch import Tensor, nn
from torch.nn import functional

# On the CPU, torch convolves a single image with no more values than this, the last axis not counted, by a slow loop.
SLOW_UP_TO = 20_480
# On the CPU, volumes of no more features than this are convolved slice by slice (`convolve_thin`).
THIN_UP_TO = 4


class Convolution3d(nn.Conv3d):
    """torch's own; on the CPU, a single small image goes as a batch of two, its halves, because torch is slow with one.

    It is several times faster so, forwards, backwards and in second derivatives.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Convolve (batch, in_channels, *grid)."""
        small = features[0, ..., 0].numel() <= SLOW_UP_TO
        same_size = self.kernel_size == (3, 3, 3) and self.padding == (1, 1, 1)
        if same_size and is_thin(features, self.out_channels):
            return convolve_thin(features, self.weight, self.bias)
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


class _BesideNeighbours(torch.autograd.Function):
    """(batch, slices, ..., features) to (batch, slices, ..., 3, features): the slice before, itself, the one after."""

    @staticmethod
    def forward(ctx, slices: Tensor) -> Tensor:
        beside = slices.new_empty(*slices.shape[:-1], 3, slices.shape[-1])
        beside[:, :1, ..., 0, :] = 0
        beside[:, 1:, ..., 0, :] = slices[:, :-1]
        beside[..., 1, :] = slices
        beside[:, :-1, ..., 2, :] = slices[:, 1:]
        beside[:, -1:, ..., 2, :] = 0
        return beside

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _AddToNeighbours.apply(gradient)


class _AddToNeighbours(torch.autograd.Function):
    """The transpose: (batch, slices, ..., 3, features) to (batch, slices, ..., features), a sum of three."""

    @staticmethod
    def forward(ctx, beside: Tensor) -> Tensor:
        total = beside[..., 1, :].clone()
        total[:, :-1] += beside[:, 1:, ..., 0, :]
        total[:, 1:] += beside[:, :-1, ..., 2, :]
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _BesideNeighbours.apply(gradient)


def is_thin(features: Tensor, out_features: int) -> bool:
    """Whether `convolve_thin` is the faster way: few features before or after, volumes, the CPU."""
    few = min(features.shape[1], out_features) <= THIN_UP_TO
    return few and features.dim() == 5 and features.device.type == "cpu"


def convolve_thin(features: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """The convolution of volumes with one voxel of padding, as one of their slices.

    oneDNN computes sixteen features where there is one. With the three slices that a kernel reaches as features of one
    slice, or of its output, a third as many of them are for nothing, and the gradients are two to three times faster.

    Args:
        features: (batch, in_features, *grid).
        kernel: (out_features, in_features, 3, 3, 3).
        bias: (out_features,).

    Returns:
        (batch, out_features, *grid), channels last.
    """
    slices = features.movedim(1, -1)
    if features.shape[1] <= len(kernel):
        beside = _BesideNeighbours.apply(slices).flatten(-2)
        return _convolve_slices(beside, kernel.movedim(2, 1).flatten(1, 2), bias).movedim(-1, 1)
    once = torch.cat([torch.zeros_like(bias), bias, torch.zeros_like(bias)])
    parts = _convolve_slices(slices, kernel.flip(2).movedim(2, 0).flatten(0, 1), once)
    return _AddToNeighbours.apply(parts.unflatten(-1, (3, -1))).movedim(-1, 1)


def _convolve_slices(slices: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """(batch, slices, height, width, features) with a kernel (out, in, 3, 3); the features stay last."""
    images = slices.flatten(0, 1).movedim(-1, 1)
    convolved = functional.conv2d(images, channels_last(kernel), bias, padding=1)
    return convolved.movedim(1, -1).unflatten(0, slices.shape[:2])


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
