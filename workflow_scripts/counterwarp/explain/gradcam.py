"""Grad-CAM (Selvaraju et al. 2017): the last convolution's features, weighted by what they do for the logit."""

import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn

from counterwarp.explain.inspection import last_activation
from counterwarp.networks.layers import LINEAR

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
        method = LayerGradCam(self.classifier, last_activation(self.classifier, images[:1]))
        grid = tuple(images.shape[2:])
        return torch.cat(
            [
                LayerAttribution.interpolate(
                    method.attribute(batch, relu_attributions=True), grid, interpolate_mode=LINEAR[len(grid)]
                )[:, 0].detach()
                for batch in images.split(BATCH)
            ]
        )


build = GradCam
