"""The classifier that is explained: blocks of convolution, batch norm, ReLU, pooling; one logit, positive: patient."""

from collections.abc import Sequence
from copy import deepcopy

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from counterwarp.networks.layers import BATCH_NORM, CHANNELS_LAST, CONVOLUTION, MAX_POOL, MIRRORED, pooled


class Classifier(nn.Module):
    """Liu et al. 2021, section 3.2, sized by its arguments (the paper: grid 64^3, channels 16-32-64-16, hidden 64).

    Args:
        grid: shape of one image, 2 or 3 axes of any length.
        channels: features of each block.
        hidden: width of the fully connected layer.
        dropout: share of the flattened features set to zero in training.
        batch_norm: whether a block has batch norm, as in 3-D, or none, as in the paper's 2-D experiment.
        mirror: whether the logit, outside training, is the mean over an image and its mirror image along the first
            axis, for a classifier that is trained on both: else chance decides on which side it sees a disease of both.
    """

    def __init__(
        self,
        grid: Sequence[int],
        channels: Sequence[int],
        hidden: int,
        dropout: float,
        batch_norm: bool = True,
        mirror: bool = False,
    ):
        super().__init__()
        self.settings = {
            "grid": list(grid),
            "channels": list(channels),
            "hidden": hidden,
            "dropout": dropout,
            "batch_norm": batch_norm,
            "mirror": mirror,
        }
        self.mirror, self.pool_first = mirror, False
        dims = len(grid)
        self.blocks = nn.ModuleList(
            # Separate, not-in-place ReLU modules, because guided back-propagation and Grad-CAM hook them.
            nn.Sequential(
                CONVOLUTION[dims](before, after, 3, padding=1),
                BATCH_NORM[dims](after) if batch_norm else nn.Identity(),
                nn.ReLU(),
                MAX_POOL[dims](2),
            )
            for before, after in zip([1, *channels], channels, strict=False)
        )
        features = channels[-1]
        for n in pooled(tuple(grid), len(channels)):
            features *= n
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )
        self.to(memory_format=CHANNELS_LAST[dims])

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch,) of images (batch, 1, *grid)."""
        if self.training or not self.mirror:
            return self.one_view(images)
        return (self.one_view(images) + self.one_view(images.flip(MIRRORED))) / 2

    def one_view(self, images: Tensor) -> Tensor:
        """Logits of the images as they are."""
        for convolution, norm, relu, pool in self.blocks:
            features = norm(convolution(images))
            # They commute, and after pooling there is less to do. Methods that look at the ReLU expect it before.
            images = relu(pool(features)) if self.training or self.pool_first else pool(relu(features))
        return self.head(images)[:, 0]


def frozen(classifier: nn.Module) -> nn.Module:
    """The same function of images, in evaluation mode and not to be trained; one of ours as a faster copy, with batch
    norm folded into the convolutions and ReLU after pooling."""
    if isinstance(classifier, Classifier):
        classifier = deepcopy(classifier).eval()
        classifier.pool_first = True
        for block in classifier.blocks:
            if classifier.settings["batch_norm"]:
                block[0], block[1] = fuse_conv_bn_eval(block[0], block[1]), nn.Identity()
    return classifier.eval().requires_grad_(False)
