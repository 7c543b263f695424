"""DeFI-GAN as an explanation: the change of tissue volume whose removal makes a patient's image a healthier one's."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from counterwarp.networks.generator import Generator, remove
from counterwarp.networks.warp import tissue_log_change, to_source_frame

BATCH = 8


@dataclass(frozen=True)
class Removal:
    """What a generator makes of n images.

    Attributes:
        maps: (n, *grid), log of the tissue's volume change by the disease, expansion positive, in the scan's own frame;
            of a generator that adds to the image, the change of intensity by the disease.
        change: (n, *grid), the change of intensity by the disease, x1 - x0^.
        displacement: (n, axes, *grid), voxels, pull-back, from the simulated frame; zero where nothing is warped.
        simulated: (n, *grid), the images without the disease.
        folded: (n, *grid) bool, in the simulated frame.
        raw_logit, simulated_logit: (n,).
    """

    maps: Tensor
    change: Tensor
    displacement: Tensor
    simulated: Tensor
    folded: Tensor
    raw_logit: Tensor
    simulated_logit: Tensor


class DefiGan:
    """The disease is taken out of every image, a control's too: the generator knows one way only.

    A patient's map is the removal's with its sign turned. So is a control's, which says what the generator still finds
    of the disease there, not what the disease would do to it.
    """

    def __init__(self, classifier: nn.Module, generator: Generator):
        self.classifier, self.generator = classifier.eval(), generator.eval()

    def explain(self, images: Tensor, groups: Tensor) -> Tensor:
        """Maps (n, *grid), see `Removal`, of images (n, 1, *grid) of groups (n,), which are not needed here."""
        return self.simulate(images, groups).maps

    @torch.no_grad()
    def simulate(self, images: Tensor, groups: Tensor) -> Removal:
        """The maps with all that they come from; arguments as of `explain`."""
        parts = [self._simulate(batch) for batch in images.split(BATCH)]
        return Removal(**{field.name: torch.cat([getattr(p, field.name) for p in parts]) for field in fields(Removal)})

    def _simulate(self, images: Tensor) -> Removal:
        simulated, field = remove(self.generator, images)
        maps, displacement, folded = self.read(field)
        return Removal(
            maps=maps,
            change=(images - simulated)[:, 0],
            displacement=displacement,
            simulated=simulated[:, 0],
            folded=folded,
            raw_logit=self.classifier(images),
            simulated_logit=self.classifier(simulated),
        )

    def read(self, field: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps, displacement and folds, as of `Removal`, of what the generator computes."""
        change, folded = tissue_log_change(field)
        return to_source_frame(-change, field), field, folded


build = DefiGan
