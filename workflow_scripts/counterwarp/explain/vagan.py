"""VA-GAN as an explanation (Baumgartner et al. 2018): the intensities whose removal makes a healthier image."""

import torch
from torch import Tensor

from counterwarp.explain.defigan import DefiGan


class VaGan(DefiGan):
    """As `DefiGan`, but the map is the change of intensity by the disease, -(x0^ - x1) = -M; nothing is warped."""

    def read(self, field: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps, no displacement and no folds of the generator's M (n, 1, *grid)."""
        maps, grid = -field[:, 0], field.shape[2:]
        return maps, field.new_zeros(len(field), len(grid), *grid), torch.zeros_like(maps, dtype=torch.bool)


build = VaGan
