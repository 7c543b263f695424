"""The coupled simulator as an explanation: the change of tissue volume that makes, or unmakes, the disease."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from counterwarp.networks.simulator import displacement_of, simulate
from counterwarp.networks.warp import tissue_log_change, to_source_frame

BATCH = 8


@dataclass(frozen=True)
class Simulation:
    """What a simulator makes of n images.

    Attributes:
        maps: (n, *grid), log of the tissue's volume change by the disease, expansion positive, in the scan's own frame;
            of a network that makes images, the change of intensity by the disease.
        change: (n, *grid), the change of intensity by the disease.
        displacement: (n, axes, *grid), voxels, pull-back, from the simulated frame; zero where nothing is warped.
        simulated, cycled: (n, *grid), the images with the group changed, and changed back.
        folded: (n, *grid) bool, in the simulated frame.
        raw_logit, simulated_logit, cycled_logit: (n,).
    """

    maps: Tensor
    change: Tensor
    displacement: Tensor
    simulated: Tensor
    cycled: Tensor
    folded: Tensor
    raw_logit: Tensor
    simulated_logit: Tensor
    cycled_logit: Tensor


class Cycle:
    """Controls get the disease, patients lose it; either way the map says what the disease does."""

    def __init__(self, classifier: nn.Module, simulator: nn.Module):
        self.classifier, self.simulator = classifier.eval(), simulator.eval()

    def explain(self, images: Tensor, groups: Tensor) -> Tensor:
        """Maps (n, *grid), see `Simulation`, of images (n, 1, *grid) of groups (n,), 1 for patients."""
        return self.simulate(images, groups).maps

    @torch.no_grad()
    def simulate(self, images: Tensor, groups: Tensor) -> Simulation:
        """The maps with all that they come from; arguments as of `explain`."""
        batches = zip(images.split(BATCH), groups.split(BATCH), strict=True)
        parts = [self._simulate(image, group) for image, group in batches]
        return Simulation(
            **{field.name: torch.cat([getattr(p, field.name) for p in parts]) for field in fields(Simulation)}
        )

    def _simulate(self, images: Tensor, groups: Tensor) -> Simulation:
        simulated, field = simulate(self.simulator, images, groups)
        cycled, _ = simulate(self.simulator, simulated, 1 - groups)
        # Injecting, the simulated change is the disease's; removing, it is that of recovery, its opposite.
        direction = torch.where(groups == 0, 1.0, -1.0).reshape(-1, *[1] * (images.dim() - 2))
        intensity = direction * (simulated - images)[:, 0]
        if self.simulator.output == "image":
            maps = intensity
            displacement = images.new_zeros(len(images), images.dim() - 2, *images.shape[2:])
            folded = torch.zeros_like(maps, dtype=torch.bool)
        else:
            displacement = displacement_of(self.simulator, field, images.shape[2:])
            change, folded = tissue_log_change(displacement)
            maps = to_source_frame(direction * change, displacement)
        return Simulation(
            maps=maps,
            change=intensity,
            displacement=displacement,
            simulated=simulated[:, 0],
            cycled=cycled[:, 0],
            folded=folded,
            raw_logit=self.classifier(images),
            simulated_logit=self.classifier(simulated),
            cycled_logit=self.classifier(cycled),
        )


build = Cycle
