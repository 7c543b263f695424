"""Plain gradient: how the logit changes with each voxel's intensity (Simonyan et al. 2014), signed."""

import torch
from torch import Tensor, nn

BATCH = 8


class Backprop:
    """The gradient of the classifier's logit with respect to the image.

    It is a rate of intensity, not of volume: positive where a brighter voxel looks more like a patient's.
    """

    def __init__(self, classifier: nn.Module):
        self.classifier = classifier.eval().requires_grad_(False)

    def explain(self, images: Tensor, groups: Tensor) -> Tensor:
        """Maps (n, *grid), logit per unit of intensity, in the disease's direction, each in its scan's own frame.

        Args:
            images: (n, 1, *grid).
            groups: (n,), 1 for patients; not needed here: the gradient of the logit points to the disease for all.
        """
        return torch.cat([self._gradient(batch) for batch in images.split(BATCH)])

    def _gradient(self, images: Tensor) -> Tensor:
        images = images.detach().clone().requires_grad_(True)
        # Images of a batch do not mix in evaluation mode, so the gradient of the sum holds that of each logit.
        return torch.autograd.grad(self.classifier(images).sum(), images)[0][:, 0]


build = Backprop
