"""Classifiers that have learned nothing of the disease, to see whether a method's maps notice (Adebayo et al. 2018)."""

import copy

import numpy as np
import torch
from torch import nn

from counterwarp.training.pack import Pack

# Added to the seed: with the seed of the training itself, weights that are to know nothing would be those that the
# training began with.
APART = 1_000_003


def shuffle_labels(pack: Pack, seed: int) -> Pack:
    """The pack with the groups dealt anew to the subjects of each split; all scans of a subject stay in one group."""
    rng = np.random.default_rng(seed)
    index = pack.index.copy()
    for split in index["split"].unique():
        people = index[index["split"] == split].drop_duplicates("subject")
        dealt = dict(zip(people["subject"], rng.permutation(people["group"].to_numpy()), strict=True))
        chosen = index["split"] == split
        index.loc[chosen, "group"] = index.loc[chosen, "subject"].map(dealt)
    return Pack(pack.images, index)


def layers_of(network: nn.Module) -> list[nn.Module]:
    """Every module with weights of its own that it can draw anew, in the order in which the network holds them."""
    return [module for module in network.modules() if hasattr(module, "reset_parameters")]


def randomise(network: nn.Module, layers: int, seed: int) -> nn.Module:
    """A copy of the network whose last layers have new random weights, the others as they are, in evaluation mode.

    Args:
        network: trained.
        layers: how many of `layers_of`, from the last.
        seed: of the new weights.

    Raises:
        ValueError: the network has fewer layers.
    """
    changed = copy.deepcopy(network)
    known = layers_of(changed)
    if not 0 <= layers <= len(known):
        raise ValueError(f"the network has {len(known)} layers with weights, {layers} were to be drawn anew")
    with torch.random.fork_rng():
        torch.manual_seed(APART + seed)
        for layer in known[len(known) - layers :]:
            layer.reset_parameters()
    return changed.eval()
