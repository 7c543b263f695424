"""The critic of DeFI-GAN and VA-GAN: how far an image is from those of the healthier class."""

from collections.abc import Sequence

from torch import Tensor, nn

from counterwarp.networks.layers import CHANNELS_LAST, CONVOLUTION, MAX_POOL, pooled


class Critic(nn.Module):
    """D of Baumgartner et al. 2018 (the paper: channels 16 | 32 | 64, 64 | 128, 128 | 256, 256, 256, in 3-D).

    Convolutions with ReLU and no norm, since the penalty on the gradient is that of each image for itself; then one of
    kernel 1, and the mean over positions.

    Args:
        grid: shape of one image, 2 or 3 axes of any length.
        channels: features of each convolution of each level; between two levels lies max-pooling.
    """

    def __init__(self, grid: Sequence[int], channels: Sequence[Sequence[int]]):
        super().__init__()
        self.settings = {"grid": list(grid), "channels": [list(level) for level in channels]}
        dims = len(grid)
        pooled(tuple(grid), len(channels) - 1)
        layers, before = [], 1
        for level in channels:
            layers += [MAX_POOL[dims](2)] if layers else []
            for after in level:
                layers += [CONVOLUTION[dims](before, after, 3, padding=1), nn.ReLU(inplace=True)]
                before = after
        self.layers = nn.Sequential(*layers, CONVOLUTION[dims](before, 1, 1))
        self.to(memory_format=CHANNELS_LAST[dims])

    def forward(self, images: Tensor) -> Tensor:
        """Scores (batch,) of images (batch, 1, *grid), higher the more an image differs from the healthier class's."""
        return self.layers(images).flatten(1).mean(1)
