"""Occlusion (Zeiler and Fergus 2014): where hiding a window of the image makes the classifier wrong."""

from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from counterwarp.networks.classifier import frozen

BATCH = 32


class Occlusion:
    """The accuracy lost when a window of the image is filled with background (Liu et al. 2021: 8^3 voxels, stride 4).

    A group-level method: a scan's own map holds 1 where hiding the window around a place turns a right answer wrong, -1
    where it turns a wrong one right and 0 elsewhere, so that the mean of the maps of a group's scans is the accuracy
    that the group loses. The score belongs to the window's centre, and is interpolated linearly between centres.
    """

    def __init__(self, classifier: nn.Module, window: int = 8, stride: int = 4):
        self.classifier = frozen(classifier)
        self.window, self.stride = window, stride

    @torch.no_grad()
    def explain(self, images: Tensor, groups: Tensor) -> Tensor:
        """Maps (n, *grid), share of answers lost, in the scan's own frame.

        Args:
            images: (n, 1, *grid); each image's lowest value is its background.
            groups: (n,), 1 for patients.
        """
        grid = tuple(images.shape[2:])
        starts = [range(0, max(1, n - self.window + 1), self.stride) for n in grid]
        right = self._right(images, groups)
        background = images.flatten(1).amin(1).reshape(-1, *[1] * (images.dim() - 1))
        lost = []
        for corner in tqdm(list(product(*starts)), desc="occlusion", disable=None):
            window = (..., *(slice(start, start + self.window) for start in corner))
            if (images[window] == background).all():
                # There is nothing to hide.
                lost.append(torch.zeros_like(right))
                continue
            hidden = images.clone()
            hidden[window] = background
            lost.append(right - self._right(hidden, groups))
        scores = torch.stack(lost, 1).reshape(len(images), *map(len, starts))
        return self._between_centres(scores, starts, grid)

    def _right(self, images: Tensor, groups: Tensor) -> Tensor:
        logits = torch.cat([self.classifier(batch) for batch in images.split(BATCH)])
        return ((logits > 0) == groups.bool()).float()

    def _between_centres(self, scores: Tensor, starts: list[range], grid: tuple[int, ...]) -> Tensor:
        """Scores (n, *windows) at the windows' centres, interpolated to the grid; beyond the last centre they go on."""
        axes = []
        for n, of_axis in zip(grid, starts, strict=True):
            position = (torch.arange(n, device=scores.device) - (self.window - 1) / 2) / self.stride
            axes.append(2 * position / max(len(of_axis) - 1, 1) - 1)
        where = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flip(-1)
        where = where.expand(len(scores), *where.shape).to(scores)
        return functional.grid_sample(
            scores[:, None], where, mode="bilinear", padding_mode="border", align_corners=True
        )[:, 0]


build = Occlusion
