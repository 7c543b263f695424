"""Grad-CAM (Selvaraju et al. 2017): the last convolution's features, weighted by what they do for the logit."""

from collections.abc import Callable

import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn

from counterwarp.explain.inspection import last_activation
from counterwarp.networks.layers import LINEAR, MIRRORED

BATCH = 8


class GradCam:
    """ReLU(sum_k a_k A_k) with a_k the mean over positions of d logit / d A_k, interpolated to the grid.

    A_k are the features after the last ReLU that still has the image's axes, before pooling. Captum's own default
    leaves the outer ReLU out; the method's paper has it. The map is where the patient's logit finds support.
    """

    def __init__(self, classifier: nn.Module):
        self.classifier = classifier.eval().requires_grad_(False)

    def check(self, image: Tensor) -> None:
        """See that the method is right for the classifier.

        Raises:
            DoesNotApplyError: it has no features to weigh.
        """
        last_activation(self.classifier, image)

    def explain(self, images: Tensor, groups: Tensor) -> Tensor:
        """Maps (n, *grid), logit, in the scan's own frame.

        Args:
            images: (n, 1, *grid).
            groups: (n,), 1 for patients; not needed here: the patient's logit is explained for all.
        """
        layer = last_activation(self.classifier, images[:1])
        if not getattr(self.classifier, "mirror", False):
            return self._weigh(self.classifier, layer, images)
        # The logit is the mean over two views, which pass the layer one after the other.
        views = images, images.flip(MIRRORED)
        seen, mirrored = (self._weigh(self.classifier.one_view, layer, view) for view in views)
        return (seen + mirrored.flip(MIRRORED - 1)) / 2

    def _weigh(self, forward: Callable[[Tensor], Tensor], layer: nn.Module, images: Tensor) -> Tensor:
        method, grid = LayerGradCam(forward, layer), tuple(images.shape[2:])
        maps = [method.attribute(batch, relu_attributions=True) for batch in images.split(BATCH)]
        return LayerAttribution.interpolate(torch.cat(maps), grid, interpolate_mode=LINEAR[len(grid)])[:, 0].detach()


build = GradCam
