"""Whether a method's maps depend on what the classifier has learned."""

import numpy as np
import pandas as pd

from counterwarp.stats.ncc import ncc

# A method whose maps of a classifier that knows nothing are this like those of the trained one does not explain it.
LARGEST_SIMILARITY = 0.5


def similarity(maps: np.ndarray, changed: np.ndarray, mask: np.ndarray) -> float:
    """Mean over scans of the absolute NCC between a method's maps of two classifiers, inside the mask.

    The absolute value, because a classifier without knowledge has no reason to keep a sign. A constant map is like
    nothing and counts as 0.

    Args:
        maps, changed: (scans, *grid).
        mask: (*grid), boolean.
    """
    values = [abs(ncc(one, other, mask)) for one, other in zip(maps, changed, strict=True)]
    return float(np.mean(np.nan_to_num(values, nan=0.0)))


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
