"""The generator of DeFI-GAN and VA-GAN: a U-Net that takes the disease out of a patient's image."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from counterwarp.networks.layers import BATCH_NORM, CHANNELS_LAST, CONVOLUTION, LINEAR, MAX_POOL, pooled
from counterwarp.networks.warp import warp

OUTPUTS = ("displacement", "image")
# Mean and sd of the scale that batch norm starts with: small, so that the generator starts near the identity.
INITIAL_SCALE = 0.1, 0.01


class Generator(nn.Module):
    """G of Bigolin Lanfredi et al. 2020 (the paper: channels 64-128-256-512-1024 in 2-D, 16-32-64-128 in 3-D).

    Each level convolves twice; between two levels lies max-pooling on the way down, and on the way up a convolution to
    the features of the level above, linear interpolation, and that level's own features beside them.

    Args:
        grid: shape of one image, 2 or 3 axes of any length.
        channels: features of each level, one pooling between two.
        output: what the last layer computes, one of OUTPUTS: a displacement (DeFI-GAN) or a change of intensity that is
            added to the image (VA-GAN).
        output_scale: factor of the output, of the order of what is expected: voxels, or units of the images.
        fill: value of a warped image beyond its border, the background's (the paper: 0); None has the border go on.
    """

    def __init__(
        self,
        grid: Sequence[int],
        channels: Sequence[int],
        output: str = "displacement",
        output_scale: float = 1.0,
        fill: float | None = None,
    ):
        super().__init__()
        self.settings = {
            "grid": list(grid),
            "channels": list(channels),
            "output": output,
            "output_scale": output_scale,
            "fill": fill,
        }
        dims = len(grid)
        pooled(tuple(grid), len(channels) - 1)
        self.output, self.output_scale, self.fill = output, output_scale, fill
        self.pool = MAX_POOL[dims](2)
        self.down = nn.ModuleList(
            nn.Sequential(_block(dims, before, after), _block(dims, after, after))
            for before, after in zip([1, *channels], channels, strict=False)
        )
        above = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.narrow = nn.ModuleList(_block(dims, deep, features) for deep, features in above)
        self.up = nn.ModuleList(
            nn.Sequential(_block(dims, 2 * features, features), _block(dims, features, features))
            for _, features in above
        )
        last = 1 if output == "image" else dims
        self.last = nn.Sequential(CONVOLUTION[dims](channels[0], last, 3, padding=1), BATCH_NORM[dims](last))
        for module in self.modules():
            if isinstance(module, BATCH_NORM[dims]):
                nn.init.normal_(module.weight, *INITIAL_SCALE)
        self.to(memory_format=CHANNELS_LAST[dims])

    def forward(self, images: Tensor) -> Tensor:
        """What the last layer computes of images (batch, 1, *grid).

        Returns:
            "displacement": phi, (batch, axes, *grid), voxels, pull-back.
            "image": M, (batch, 1, *grid), the change of intensity.
        """
        skips = [self.down[0](images)]
        for level in self.down[1:]:
            skips.append(level(self.pool(skips[-1])))
        features = skips.pop()
        for narrow, level in zip(self.narrow, self.up, strict=True):
            # Narrowed before they are interpolated, features cost an eighth in 3-D; each skip is let go here.
            features = level(_beside(skips.pop(), narrow(features)))
        return self.output_scale * self.last(features)


def _beside(skip: Tensor, features: Tensor) -> Tensor:
    """The features of a level and those from the level below, interpolated, in one tensor."""
    grid = skip.shape[2:]
    above = functional.interpolate(features, size=grid, mode=LINEAR[len(grid)], align_corners=False)
    return torch.cat([skip, above], 1)


def _block(dims: int, before: int, after: int) -> nn.Sequential:
    return nn.Sequential(CONVOLUTION[dims](before, after, 3, padding=1), BATCH_NORM[dims](after), nn.ReLU(inplace=True))


def remove(generator: Generator, images: Tensor) -> tuple[Tensor, Tensor]:
    """The images without the disease, and what took it out.

    x0^(p) = x1(p + phi(p))  (eq. 1), or x0^ = x1 + M.

    Returns:
        x0^, (batch, 1, *grid).
        phi or M, as of `Generator.forward`.
    """
    # Positions need all the digits that an image's arithmetic can do without.
    field = generator(images).float()
    if generator.output == "image":
        return images + field, field
    return warp(images, field, generator.fill), field
