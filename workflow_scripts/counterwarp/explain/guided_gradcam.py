"""Guided Grad-CAM (Selvaraju et al. 2017): guided back-propagation times Grad-CAM, voxel by voxel."""

from torch import Tensor, nn

from counterwarp.explain.gradcam import GradCam
from counterwarp.explain.guided_backprop import GuidedBackprop


class GuidedGradCam:
    """Fine as the one, placed as the other."""

    def __init__(self, classifier: nn.Module):
        self.factors = GuidedBackprop(classifier), GradCam(classifier)

    def check(self, image: Tensor) -> None:
        """See that both methods are right for the classifier.

        Raises:
            DoesNotApplyError: one is not.
        """
        for factor in self.factors:
            factor.check(image)

    def explain(self, images: Tensor, groups: Tensor) -> Tensor:
        """Maps (n, *grid), logit squared per unit of intensity; arguments as of the two methods."""
        guided, gradcam = (factor.explain(images, groups) for factor in self.factors)
        return guided * gradcam


build = GuidedGradCam
