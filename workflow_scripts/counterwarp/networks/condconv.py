"""Conditional convolution: each image of a batch is convolved with its own mixture of a few kernels."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from counterwarp.networks.layers import CONVOLUTION, channels_last, convolve_thin, is_thin

CONVOLVE = {2: functional.conv2d, 3: functional.conv3d}


class CondConv(nn.Module):
    """y = (sum_k alpha_k W_k) * x + sum_k alpha_k b_k with alpha = sigmoid(R [GAP(x), t] + r)  (Liu et al. 2021).

    The mixture is not normalised. Each expert starts as an ordinary convolution would.

    Args:
        spatial_dims: 2 or 3.
        in_features, out_features: of the convolution, whose kernel is 3 along every axis, with one voxel of padding.
        experts: K, the kernels to mix.
    """

    def __init__(self, spatial_dims: int, in_features: int, out_features: int, experts: int):
        super().__init__()
        ordinary = [CONVOLUTION[spatial_dims](in_features, out_features, 3) for _ in range(experts)]
        self.weight = nn.Parameter(torch.stack([expert.weight.detach() for expert in ordinary]))
        self.bias = nn.Parameter(torch.stack([expert.bias.detach() for expert in ordinary]))
        self.routing = nn.Linear(in_features + 1, experts)
        self.convolve = CONVOLVE[spatial_dims]
        self.form = self.mix_inputs if in_features == 1 else self.mix_kernels

    def forward(self, features: Tensor, task: Tensor) -> Tensor:
        """Convolve.

        Args:
            features: (batch, in_features, *grid).
            task: (batch,), the task's number for each image.

        Returns:
            (batch, out_features, *grid), channels last.
        """
        features = channels_last(features)
        # Voxels first, so that the gradient too has the features of a voxel beside each other; that of a mean would be
        # written out for every voxel.
        voxels = features.movedim(1, -1).flatten(1, -2)
        pooled = voxels.sum(1) / voxels.shape[1]
        alpha = torch.sigmoid(self.routing(torch.cat([pooled, task[:, None]], 1))).to(self.weight)
        if is_thin(features, self.weight.shape[1]):
            return self.one_by_one(features, alpha)
        return self.form(features, alpha)

    def one_by_one(self, features: Tensor, alpha: Tensor) -> Tensor:
        """One kernel per image and one image after the other, alpha (batch, experts), for few features on the CPU."""
        kernels, biases = torch.tensordot(alpha, self.weight, 1), alpha @ self.bias
        images = zip(features.split(1), kernels, biases, strict=True)
        # Joined with the features last, so that the gradient too comes with the features of a voxel beside each other.
        convolved = [convolve_thin(image, kernel, bias).movedim(1, -1) for image, kernel, bias in images]
        return torch.cat(convolved).movedim(-1, 1)

    def mix_kernels(self, features: Tensor, alpha: Tensor) -> Tensor:
        """One kernel per image, alpha (batch, experts); the images are the groups of one grouped convolution."""
        batch = len(features)
        kernels = channels_last(torch.tensordot(alpha, self.weight, 1).flatten(0, 1))
        biases = (alpha @ self.bias).flatten()
        beside = features.movedim((0, 1), (-2, -1)).flatten(-2)
        mixed = self.convolve(beside.movedim(-1, 0)[None], kernels, biases, padding=1, groups=batch)
        # Taken apart with the features last, so that the gradient is put beside each other in one copy too.
        return mixed.squeeze(0).movedim(0, -1).unflatten(-1, (batch, -1)).movedim(-2, 0).contiguous().movedim(-1, 1)

    def mix_inputs(self, features: Tensor, alpha: Tensor) -> Tensor:
        """The same by linearity, for few features: every expert gets its share of each image, and all are summed."""
        shares = alpha.reshape(*alpha.shape, *[1] * (features.dim() - 1)) * features[:, None]
        kernels = channels_last(self.weight.movedim(0, 1).flatten(1, 2))
        mixed = self.convolve(channels_last(shares.flatten(1, 2)), kernels, padding=1)
        return mixed.add_((alpha @ self.bias).reshape(len(features), -1, *[1] * (features.dim() - 2)))


class OrdinaryConvolution(nn.Module):
    """A convolution that is told the task and does not heed it, in the place of a conditional one."""

    def __init__(self, spatial_dims: int, in_features: int, out_features: int):
        super().__init__()
        layer = CONVOLUTION[spatial_dims](in_features, out_features, 3)
        self.weight, self.bias, self.convolve = layer.weight, layer.bias, CONVOLVE[spatial_dims]

    def forward(self, features: Tensor, task: Tensor) -> Tensor:
        """Convolve (batch, in_features, *grid) to (batch, out_features, *grid)."""
        return self.convolve(features, channels_last(self.weight), self.bias, padding=1)


def convolution(spatial_dims: int, in_features: int, out_features: int, experts: int) -> nn.Module:
    """A conditional convolution, or an ordinary one where there are no experts."""
    if not experts:
        return OrdinaryConvolution(spatial_dims, in_features, out_features)
    return CondConv(spatial_dims, in_features, out_features, experts)


def pass_on(layer: nn.Module, sd: float) -> None:
    """Start a layer of `convolution` as one that passes its first features on unchanged, with noise of this sd.

    Each of K experts starts at 2 / K, because alpha starts at about a half.
    """
    mixed = isinstance(layer, CondConv)
    experts = layer.weight.data if mixed else layer.weight.data[None]
    with torch.no_grad():
        for kernel in experts:
            nn.init.dirac_(kernel)
            kernel.mul_(2 / len(experts) if mixed else 1).add_(sd * torch.randn_like(kernel))
        layer.bias.zero_()
