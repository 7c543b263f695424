"""Conditional convolution: each image of a batch is convolved with its own mixture of a few kernels."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from counterwarp.networks.layers import CONVOLUTION

CONVOLVE = {2: functional.conv2d, 3: functional.conv3d}
# Measured on the CPU (batch 16, 32x40x32): mixing kernels and convolving by groups wins unless the layer has few output
# features, which leaves most of each group's vector lanes idle; then all experts at once and mixing their outputs wins
# (8 to 3 features 196 ms against 247, 16 to 3 225 against 485; 16 to 8 the other way, 406 against 274).
FEW_FEATURES = 4


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
        self.form = self.mix_outputs if out_features < FEW_FEATURES else self.mix_kernels

    def forward(self, features: Tensor, task: Tensor) -> Tensor:
        """Convolve.

        Args:
            features: (batch, in_features, *grid).
            task: (batch,), the task's number for each image.

        Returns:
            (batch, out_features, *grid).
        """
        pooled = features.flatten(2).mean(2)
        alpha = torch.sigmoid(self.routing(torch.cat([pooled, task[:, None]], 1)))
        return self.form(features, alpha)

    def mix_kernels(self, features: Tensor, alpha: Tensor) -> Tensor:
        """One kernel per image, alpha (batch, experts); the images are the groups of one grouped convolution."""
        batch, grid = len(features), features.shape[2:]
        kernels = torch.tensordot(alpha, self.weight, 1).flatten(0, 1)
        biases = (alpha @ self.bias).flatten()
        mixed = self.convolve(features.reshape(1, -1, *grid), kernels, biases, padding=1, groups=batch)
        return mixed.reshape(batch, -1, *grid)

    def mix_outputs(self, features: Tensor, alpha: Tensor) -> Tensor:
        """The same by linearity: convolve every image with every expert, then mix what comes out."""
        batch, grid = len(features), features.shape[2:]
        outputs = self.convolve(features, self.weight.flatten(0, 1), self.bias.flatten(), padding=1)
        outputs = outputs.reshape(batch, len(self.weight), -1)
        return torch.bmm(alpha[:, None], outputs).reshape(batch, -1, *grid)


class OrdinaryConvolution(nn.Module):
    """A convolution that is told the task and does not heed it, in the place of a conditional one."""

    def __init__(self, spatial_dims: int, in_features: int, out_features: int):
        super().__init__()
        layer = CONVOLUTION[spatial_dims](in_features, out_features, 3)
        self.weight, self.bias, self.convolve = layer.weight, layer.bias, CONVOLVE[spatial_dims]

    def forward(self, features: Tensor, task: Tensor) -> Tensor:
        """Convolve (batch, in_features, *grid) to (batch, out_features, *grid)."""
        return self.convolve(features, self.weight, self.bias, padding=1)


def convolution(spatial_dims: int, in_features: int, out_features: int, experts: int) -> nn.Module:
    """A conditional convolution, or an ordinary one where there are no experts."""
    if not experts:
        return OrdinaryConvolution(spatial_dims, in_features, out_features)
    return CondConv(spatial_dims, in_features, out_features, experts)
