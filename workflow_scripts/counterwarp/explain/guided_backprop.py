"""Guided back-propagation (Springenberg et al. 2015): the gradient that every ReLU passes on only where positive."""

import warnings

import torch
from captum.attr import GuidedBackprop as CaptumGuidedBackprop
from torch import Tensor, nn

from counterwarp.explain.inspection import check_relu_modules

BATCH = 8


class GuidedBackprop:
    """The gradient of the patient's logit in which no ReLU lets negative gradients pass, on its way back."""

    def __init__(self, classifier: nn.Module):
        self.classifier = classifier.eval().requires_grad_(False)
        self.method = CaptumGuidedBackprop(self.classifier)

    def check(self, image: Tensor) -> None:
        """See that the method is right for the classifier.

        Raises:
            DoesNotApplyError: it has activations that the method cannot change.
        """
        check_relu_modules(self.classifier, image)

    def explain(self, images: Tensor, groups: Tensor) -> Tensor:
        """Maps (n, *grid), logit per unit of intensity, towards the disease; each in its scan's own frame.

        Args:
            images: (n, 1, *grid).
            groups: (n,), 1 for patients; not needed here.
        """
        self.check(images[:1])
        return torch.cat([self._attribute(batch) for batch in images.split(BATCH)])

    def _attribute(self, images: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Setting backward hooks")
            return self.method.attribute(images.detach().clone().requires_grad_(True))[:, 0].detach()


build = GuidedBackprop
