"""Whether a method's maps depend on what the classifier has learned."""

from collections.abc import Hashable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from counterwarp.arrays import Rows, blocks
from counterwarp.explain.outputs import AT_A_TIME
from counterwarp.stats.ncc import ncc

# A method whose maps of a classifier that knows nothing are this like those of the trained one does not explain it.
LARGEST_SIMILARITY = 0.5


def similarity(maps: np.ndarray | Rows, changed: np.ndarray | Rows, mask: np.ndarray) -> float:
    """Mean over scans of the absolute NCC between a method's maps of two classifiers, inside the mask.

    The absolute value, because a classifier without knowledge has no reason to keep a sign. A constant map is like
    nothing and counts as 0.

    Args:
        maps, changed: (scans, *grid), of which a few at a time are read.
        mask: (*grid), boolean.
    """
    pairs = zip(blocks(maps), blocks(changed), strict=True)
    return float(np.mean([value for some, others in pairs for value in _likeness(some, others, mask)]))


def similarities(explainer, others: dict[Hashable, object], images, patients: Tensor, mask: np.ndarray) -> dict:
    """The `similarity` of a method's maps of one classifier to its maps of each of others, a few scans at a time.

    Args:
        explainer: of `counterwarp.explain.build`, for the classifier.
        others: name -> the same method's explainer for another classifier.
        images: (n, 1, *grid), a tensor or `counterwarp.training.pack.Images`.
        patients: (n,), 1 for patients.
        mask: (*grid), boolean.

    Returns:
        name -> similarity.
    """
    values = {name: [] for name in others}
    for rows in torch.arange(len(images)).split(AT_A_TIME):
        some, groups = images[rows], patients[rows]
        maps = explainer.explain(some, groups).cpu().numpy()
        for name, other in others.items():
            values[name] += _likeness(maps, other.explain(some, groups).cpu().numpy(), mask)
    return {name: float(np.mean(of_scans)) for name, of_scans in values.items()}


def _likeness(maps: np.ndarray, changed: np.ndarray, mask: np.ndarray) -> list[float]:
    """Of each scan, as `similarity`."""
    return [np.nan_to_num(abs(ncc(one, other, mask)), nan=0.0) for one, other in zip(maps, changed, strict=True)]


def verdicts(similarities: pd.DataFrame) -> pd.DataFrame:
    """Add to each row whether the method passes.

    Args:
        similarities: method, seed, check ("layers drawn anew" or "labels shuffled"), layers, of, similarity.

    Returns:
        The same with verdict: "passes" or "FAILS" for labels shuffled and for all layers drawn anew; empty for some.
    """
    decides = (similarities["check"] == "labels shuffled") | (similarities["layers"] == similarities["of"])
    fails = similarities["similarity"] >= LARGEST_SIMILARITY
    verdict = np.where(~decides, "", np.where(fails, "FAILS", "passes"))
    return similarities.assign(verdict=verdict)
