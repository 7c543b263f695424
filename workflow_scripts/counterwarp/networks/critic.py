"""The critics of DeFI-GAN and VA-GAN: how far an image is from those of the healthier class."""

import logging
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from counterwarp.errors import CounterwarpError
from counterwarp.networks.layers import CHANNELS_LAST, CONVOLUTION, MAX_POOL, pooled

LOG = logging.getLogger("counterwarp")


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
            # ReLU commutes with the pooling between two levels, and after it there is less to do.
            layers[-1:] = [MAX_POOL[dims](2), *layers[-1:]] if layers else []
            for after in level:
                layers += [CONVOLUTION[dims](before, after, 3, padding=1), nn.ReLU(inplace=True)]
                before = after
        self.layers = nn.Sequential(*layers, CONVOLUTION[dims](before, 1, 1))
        self.to(memory_format=CHANNELS_LAST[dims])

    def forward(self, images: Tensor) -> Tensor:
        """Scores (batch,) of images (batch, 1, *grid), higher the more an image differs from the healthier class's."""
        return self.layers(images).flatten(1).mean(1)


class ResNet18Critic(nn.Module):
    """D for chest X-rays: ResNet-18 (He et al. 2016) whose last layer gives one score.

    The statistics of batch norm stay as they are, ImageNet's or 0 and 1: the penalty on the gradient is that of each
    image for itself, which statistics of a batch would mix.

    Args:
        weights: safetensors of ImageNet's ResNet-18 with torchvision's names; None starts at random.

    Raises:
        CounterwarpError: the weights are not of this network.
    """

    def __init__(self, weights: str | Path | None = None):
        # Only films need it, and importing monai costs more than a second.
        from monai.networks.nets import resnet18

        super().__init__()
        self.network = resnet18(
            spatial_dims=2, n_input_channels=1, num_classes=1, conv1_t_stride=2, bias_downsample=False
        )
        if weights:
            _start_from_imagenet(self.network, weights)
            LOG.info("critic: ResNet-18 that starts from the ImageNet weights %s", weights)
        else:
            LOG.warning("critic: ResNet-18 that starts at random; the paper's starts from ImageNet weights")
        self.to(memory_format=CHANNELS_LAST[2])

    def forward(self, images: Tensor) -> Tensor:
        """Scores (batch,) of images (batch, 1, rows, columns), as of `Critic`."""
        return self.network(images)[:, 0]

    def train(self, mode: bool = True) -> "ResNet18Critic":
        """As of any module, but batch norm stays in evaluation mode."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def _start_from_imagenet(network: nn.Module, path: str | Path) -> None:
    """Take all weights but the last layer's; a grey image has those of red, green and blue added up."""
    try:
        given = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CounterwarpError(f"{path}: no safetensors file ({error}); correct adversarial.critic_weights") from error
    wanted = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("fc.")}
    if "conv1.weight" in given:
        given["conv1.weight"] = given["conv1.weight"].sum(1, keepdim=True)
    # torchvision's older files do not count the batches.
    wrong = [
        name
        for name, tensor in wanted.items()
        if not name.endswith("num_batches_tracked") and (name not in given or given[name].shape != tensor.shape)
    ]
    if wrong:
        raise CounterwarpError(
            f"{path}: not the weights of ResNet-18 with torchvision's names ({', '.join(wrong[:3])} missing or of "
            "another shape); correct adversarial.critic_weights"
        )
    network.load_state_dict({name: given[name] for name in wanted if name in given}, strict=False)


def build_critic(grid: Sequence[int], settings: dict) -> nn.Module:
    """The critic of section `adversarial` of the configuration: critic_network, critic_channels, critic_weights."""
    if settings["critic_network"] == "resnet18":
        return ResNet18Critic(settings["critic_weights"]).train()
    return Critic(grid, settings["critic_channels"])
