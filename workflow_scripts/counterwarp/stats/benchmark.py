"""How well each method finds the pattern of a 2-D benchmark, and whether the paper's order holds."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy.stats import t as student

from counterwarp.stats.methods import compare_logits, compare_maps, summarise
from counterwarp.stats.ncc import ncc

# Liu et al. 2021, Fig. 3h: conditional convolutions before two ordinary simulators before every saliency method.
# Bigolin Lanfredi et al. 2020, Table 1: a deformation before a change of intensity.
ORDERS = (
    (("cycle",), ("cycle_two_encoders",), ("backprop", "guided_backprop", "gradcam", "guided_gradcam")),
    (("defigan",), ("vagan",)),
)

# The best that can be known of the truth.
CEILING = "ceiling"

Jobs = dict[tuple[str, int], tuple[np.ndarray, pd.DataFrame]]


def score(
    jobs: Jobs,
    indices: dict[int, pd.DataFrame],
    truths: dict[int, np.ndarray],
    groups: Sequence[str] = ("control", "patient"),
) -> pd.DataFrame:
    """The table of methods, from the test images of every seed.

    Args:
        jobs: (method, seed) -> maps (n, *grid) and logits (row, scan, raw, simulated, cycled; empty for saliency).
        indices: seed -> row, scan, group, split of the images.
        truths: seed -> true maps (n, *grid).
        groups: whose images count; some methods go from patient to control only.

    Returns:
        As of `counterwarp.stats.methods.summarise`, with low and high: the 95 % interval of a mean over seeds. Where
        the indices have a column `ceiling`, its mean is the NCC of a method CEILING.
    """
    images, patterns = [], []
    for (method, seed), (maps, logits) in jobs.items():
        tested = _tested(indices[seed], groups)
        name = {"method": method, "seed": seed}
        rows = list(tested["row"])
        table = compare_maps(maps[rows], truths[seed][rows], np.ones(maps.shape[1:], bool), rows)
        if len(logits):
            seen = logits.merge(tested[["row", "group"]], on="row")
            table = table.merge(compare_logits(seen, seen["group"].eq("patient").to_numpy()), on="row")
        images.append(table.assign(**name))
        pattern, true = (values[tested["row"]].mean(0) for values in (maps, truths[seed]))
        patterns.append({**name, "metric": "ncc", "value": ncc(pattern, true), "n": len(tested)})
    for seed, index in indices.items():
        if "ceiling" in index:
            highest = _tested(index, groups)[["row", "ceiling"]].rename(columns={"ceiling": "ncc"})
            images.append(highest.assign(method=CEILING, seed=seed))
    table = summarise(pd.concat(images, ignore_index=True), pd.DataFrame(patterns))
    half = [interval_half_width(row.sd, row.n) if row.seed == "all" else np.nan for row in table.itertuples()]
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)


def interval_half_width(sd: float, n: int) -> float:
    """Half the 95 % interval of the mean of n values: t(0.975, n - 1) sd / sqrt(n); nan for fewer than two."""
    return float(student.ppf(0.975, n - 1) * sd / np.sqrt(n)) if n > 1 else float("nan")


def compare_order(table: pd.DataFrame) -> pd.DataFrame:
    """Whether each method beats those that the paper puts behind it, seed by seed.

    Args:
        table: of `score`.

    Returns:
        better, worse (as the paper has them), difference (of the mean NCC over test images, mean over seeds), low and
        high (its 95 % interval), seeds, verdict ("holds" where the interval lies above 0, "reversed" where below).
    """
    chosen = table[(table["level"] == "subject") & (table["metric"] == "ncc") & (table["seed"] != "all")]
    values = chosen.pivot(index="seed", columns="method", values="mean")
    rows = []
    for better, worse in _in_order():
        if better in values and worse in values:
            rows.append({"better": better, "worse": worse, **_difference(values[better] - values[worse])})
    return pd.DataFrame(rows, columns=["better", "worse", "difference", "low", "high", "seeds", "verdict"])


def _in_order() -> Iterator[tuple[str, str]]:
    """Every pair of methods of which a paper puts the first before the second."""
    for order in ORDERS:
        for ahead, behind in combinations(order, 2):
            yield from product(ahead, behind)


def _difference(differences: pd.Series) -> dict:
    known = differences.dropna()
    mean, half = known.mean(), interval_half_width(known.std(), len(known))
    verdict = "holds" if mean - half > 0 else "reversed" if mean + half < 0 else "undecided"
    return {"difference": mean, "low": mean - half, "high": mean + half, "seeds": len(known), "verdict": verdict}


def group_patterns(
    jobs: Jobs,
    indices: dict[int, pd.DataFrame],
    truths: dict[int, np.ndarray],
    groups: Sequence[str] = ("control", "patient"),
) -> dict[str, np.ndarray]:
    """Method -> its mean map over the test images of all seeds, (*grid), and "truth" likewise; as `score`."""
    patterns: dict[str, list] = {}
    for (method, seed), (maps, _) in jobs.items():
        patterns.setdefault(method, []).append(maps[_tested(indices[seed], groups)["row"]].mean(0))
    patterns["truth"] = [truths[seed][_tested(index, groups)["row"]].mean(0) for seed, index in indices.items()]
    return {name: np.mean(of_seeds, axis=0) for name, of_seeds in patterns.items()}


def _tested(index: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    return index[(index["split"] == "test") & index["group"].isin(groups)]
