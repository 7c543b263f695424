"""The coupled simulator: one U-Net of conditional convolutions that injects the disease or removes it, by a warp."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from counterwarp.networks.condconv import convolution, pass_on
from counterwarp.networks.layers import BATCH_NORM, MIRRORED, pooled
from counterwarp.networks.warp import integrate, resize, warp

INJECT, REMOVE = 0.0, 1.0
OUTPUTS = ("displacement", "velocity", "image")
INITIAL_SD = 1e-3
INITIAL_IMAGE_SD = 0.05
SLOPE = 0.1


class Simulator(nn.Module):
    """Liu et al. 2021, section 3.3 (the paper: grid 64^3, channels 16-32-64-16-16, fully_connected 512, experts 3).

    Encoder: a conditional convolution per level, with batch norm, leaky ReLU and max-pooling between two. Bottleneck:
    two fully connected layers, the task appended to what lies between. Decoder: convolve, upsample to the nearest, add
    the encoder's output of that level. Where it warps it starts as the identity; where it gives the image itself, its
    first and last layers start by passing the image on.

    Args:
        grid: shape of one image, 2 or 3 axes of any length.
        channels: features of each level of the encoder.
        fully_connected: width of the bottleneck.
        experts: kernels of each conditional convolution; 0 for ordinary convolutions, which the task does not reach.
        output_level: level on whose grid the field is computed; 0 is the image's own grid, as in the paper; from a
            coarser one the displacement is interpolated linearly.
        output: what the last layer computes, a key of OUTPUTS.
        mirror: whether, outside training, the field of an image is the mean of its own and of that of its mirror image,
            turned back; for a simulator trained on both, of a classifier to which the two are the same.
    """

    def __init__(
        self,
        grid: Sequence[int],
        channels: Sequence[int],
        fully_connected: int,
        experts: int,
        output_level: int = 0,
        output: str = "displacement",
        mirror: bool = False,
    ):
        super().__init__()
        self.settings = {
            "grid": list(grid),
            "channels": list(channels),
            "fully_connected": fully_connected,
            "experts": experts,
            "output_level": output_level,
            "output": output,
            "mirror": mirror,
        }
        dims, deepest = len(grid), len(channels) - 1
        self.output_level, self.output, self.mirror = output_level, output, mirror
        self.bottom = (channels[-1], *pooled(tuple(grid), deepest))
        features = torch.Size(self.bottom).numel()

        self.encoder = nn.ModuleList(
            convolution(dims, before, after, experts) for before, after in zip([1, *channels], channels, strict=False)
        )
        self.encoder_norms = nn.ModuleList(BATCH_NORM[dims](width) for width in channels[:-1])
        self.squeeze = nn.Linear(features, fully_connected)
        self.widen = nn.Linear(fully_connected + 1, features)
        levels = range(deepest, output_level, -1)
        self.first = convolution(dims, channels[-1], channels[-1], experts)
        self.decoder = nn.ModuleList(
            convolution(dims, channels[level], channels[level - 1], experts) for level in levels
        )
        self.decoder_norms = nn.ModuleList(BATCH_NORM[dims](channels[level]) for level in levels)
        self.last = convolution(dims, channels[output_level], 1 if output == "image" else dims, experts)
        if output == "image":
            # Otherwise the way of the image through the first and the last layer may start with the wrong sign. Then
            # training shrinks both, stops at an empty image and never leaves it.
            pass_on(self.encoder[0], INITIAL_IMAGE_SD)
            pass_on(self.last, INITIAL_IMAGE_SD)
        else:
            nn.init.normal_(self.last.weight, std=INITIAL_SD)
            nn.init.zeros_(self.last.bias)

    def forward(self, images: Tensor, task: Tensor) -> Tensor:
        """What the last layer computes, with the task's direction.

        Args:
            images: (batch, 1, *grid).
            task: (batch,), INJECT or REMOVE for each image.

        Returns:
            "displacement": (batch, axes, *grid of the output level), in voxels of that grid, pull-back.
            "velocity": the same for a stationary velocity, which removal turns round, so that its flow is the inverse.
            "image": (batch, 1, *grid), the simulated image itself.
        """
        raw = self._decode(images, task)
        if self.mirror and not self.training:
            raw = (raw + self._mirrored(self._decode(images.flip(MIRRORED), task))) / 2
        if self.output != "velocity":
            return raw
        return torch.where(task == INJECT, 1.0, -1.0).reshape(-1, *[1] * (raw.dim() - 1)) * raw

    def _mirrored(self, field: Tensor) -> Tensor:
        """What the last layer gives, left and right exchanged: vectors change the sign of that component."""
        turned = field.flip(MIRRORED)
        if self.output == "image":
            return turned
        # The component along the first axis of the grid, which is MIRRORED.
        return torch.cat([-turned[:, :1], turned[:, 1:]], dim=1)

    def _decode(self, images: Tensor, task: Tensor) -> Tensor:
        skips = self.encode(images, task)
        features = self.first(self.bottleneck(skips[-1], task), task) + skips[-1]
        for layer, norm, skip in zip(self.decoder, self.decoder_norms, skips[-2::-1], strict=False):
            features = layer(_activate(norm(features)), task)
            features = functional.interpolate(features, size=skip.shape[2:], mode="nearest").add_(skip)
        return self.last(_activate(features), task)

    def encode(self, images: Tensor, task: Tensor) -> list[Tensor]:
        """Output of each level's convolution, before its norm."""
        outputs = [self.encoder[0](images, task)]
        for norm, layer in zip(self.encoder_norms, self.encoder[1:], strict=True):
            pool = functional.max_pool3d if images.dim() == 5 else functional.max_pool2d
            # The activation commutes with pooling, and after it there is less to do.
            outputs.append(layer(_activate(pool(norm(outputs[-1]), 2)), task))
        return outputs

    def bottleneck(self, features: Tensor, task: Tensor) -> Tensor:
        """Features of the deepest level from the whole image at once."""
        squeezed = functional.leaky_relu(self.squeeze(features.flatten(1)), SLOPE)
        widened = self.widen(torch.cat([squeezed, task[:, None]], 1))
        return functional.leaky_relu(widened, SLOPE).reshape(-1, *self.bottom)


def _activate(features: Tensor) -> Tensor:
    """Leaky ReLU in place, for features that nothing else reads."""
    return functional.leaky_relu(features, SLOPE, inplace=True)


class TwoSimulators(nn.Module):
    """One network to inject and another to remove, with ordinary convolutions: the paper's "two encoders".

    Args:
        settings: of each `Simulator`; `experts` is 0 for both.
    """

    def __init__(self, **settings):
        super().__init__()
        settings = {**settings, "experts": 0}
        self.inject, self.remove = Simulator(**settings), Simulator(**settings)
        self.settings, self.output = self.inject.settings, self.inject.output

    def forward(self, images: Tensor, task: Tensor) -> Tensor:
        """As of `Simulator`, each image by its task's network."""
        parts = [
            (rows, network(images[rows], task[rows]))
            for network, rows in ((self.inject, task == INJECT), (self.remove, task == REMOVE))
            if rows.any()
        ]
        result = parts[0][1].new_empty((len(images), *parts[0][1].shape[1:]))
        for rows, values in parts:
            result[rows] = values
        return result


def simulate(network: nn.Module, images: Tensor, task: Tensor) -> tuple[Tensor, Tensor]:
    """The simulated images (batch, 1, *grid), and what made them: the field of `Simulator.forward`, or their difference
    from the images where the network gives the simulated image itself."""
    # Positions need all the digits that an image's arithmetic can do without.
    field = network(images, task).float()
    if network.output == "image":
        return field, field - images
    return warp(images, displacement_of(network, field, images.shape[2:])), field


def displacement_of(network: nn.Module, field: Tensor, grid: torch.Size) -> Tensor:
    """The displacement on the image's grid (its voxels, pull-back: X^(p) = X(p + displacement(p))) of a field by a
    network that warps."""
    return resize(integrate(field) if network.output == "velocity" else field, grid)
