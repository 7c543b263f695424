"""The tables that compare all methods, from the files of a run."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from counterwarp.arrays import Rows, mean_rows
from counterwarp.explain import METHODS, OF_INTENSITY
from counterwarp.imaging.parcellation import of_several
from counterwarp.stats import MEAN
from counterwarp.stats.methods import (
    agreement,
    compare_logits,
    compare_maps,
    rank_correlation,
    region_changes,
    summarise,
)
from counterwarp.stats.ncc import ncc


@dataclass(frozen=True)
class Explained:
    """What one method with one seed has left.

    Paths of maps (npy), logits (tsv: row, scan, raw, simulated, cycled; empty for saliency), group map (NIfTI), and
    of the simulations' quality (tsv: row, scan, folding_share, cycle_rmse), None for saliency.
    """

    method: str
    seed: int
    maps: str
    logits: str
    group_map: str
    quality: str | None

    @property
    def is_volume_change(self) -> bool:
        """Whether its maps are of tissue volume."""
        return self.quality is not None and self.method not in OF_INTENSITY

    def answers_for(self, tested: pd.DataFrame) -> pd.DataFrame:
        """Those of the scans that it says something of: a generator goes from patient to control only."""
        return tested[tested["group"] == "patient"] if METHODS.get(self.method) == "generator" else tested


@dataclass(frozen=True)
class Truth:
    """What is known of a simulated disease.

    Paths of maps (npy, as those of a method), group map, mask and parcellation (NIfTI on one grid), and of the
    parcellation's table (index, name, tissue and, where it is known, affected).
    """

    maps: str
    group_map: str
    mask: str
    parcellation: str
    regions: str


@dataclass(frozen=True)
class Evaluation:
    """Tables: subjects (method, seed, scan, group and measures), methods (`summarise`), changes (method, seed and
    `region_changes`), logits (scan, seed, method, raw, simulated, cycled; all scans)."""

    subjects: pd.DataFrame
    methods: pd.DataFrame
    changes: pd.DataFrame
    logits: pd.DataFrame


def evaluate(explained: list[Explained], index: pd.DataFrame, mask: np.ndarray, truth: Truth | None) -> Evaluation:
    """Compare methods at the first scan of each test subject.

    With several seeds, the mean of a method's maps over them is compared with the truth like another seed, MEAN.

    Args:
        explained: every method and seed.
        index: row, scan, group, split, baseline of the packed scans.
        mask: brain on the network's grid.
        truth: None where it is unknown; then only measures that need none are made.
    """
    tested = index[(index["split"] == "test") & index["baseline"]]
    subjects, logits, groups, changes = [], [], [], []
    for one in explained:
        name = {"method": one.method, "seed": one.seed}
        table = one.answers_for(tested)[["row", "scan", "group"]]
        if truth:
            rows = list(table["row"])
            maps, true_maps = (Rows(np.load(path, mmap_mode="r"), rows) for path in (one.maps, truth.maps))
            table = table.merge(compare_maps(maps, true_maps, mask, rows), on="row")
            measures, regions = _compare_groups(_image(one.group_map), one.is_volume_change, truth, len(table))
            groups.append(measures.assign(**name))
            changes.append(regions.assign(**name))
        if one.quality:
            seen = pd.read_csv(one.logits, sep="\t")
            logits.append(seen[["scan", "raw", "simulated", "cycled"]].assign(**name))
            is_patient = seen["row"].map(index.set_index("row")["group"]).eq("patient").to_numpy()
            quality = pd.read_csv(one.quality, sep="\t")
            quality["folding_percent"] = 100 * quality["folding_share"]
            table = table.merge(compare_logits(seen, is_patient), on="row")
            groups.append(_keep_order(seen.merge(table[["row", "group"]], on="row")).assign(**name))
            table = table.merge(quality[["row", "folding_percent", "cycle_rmse"]], on="row")
        subjects.append(table.drop(columns="row").assign(**name))
    if truth:
        for method, of_seeds in _with_several_seeds(explained):
            name = {"method": method, "seed": MEAN}
            table, measures, regions = _compare_means(of_seeds, tested, mask, truth)
            subjects.append(table.drop(columns="row").assign(**name))
            groups.append(measures.assign(**name))
            changes.append(regions.assign(**name))
    tables = pd.concat(subjects, ignore_index=True)
    measured = _stack(groups, ["method", "seed", "metric", "value", "n"])
    return Evaluation(
        tables[["method", "seed", *tables.columns.drop(["method", "seed"])]],
        summarise(tables, measured),
        _stack(changes, ["method", "seed", "region", "tissue", "affected", "mean", "true_mean", "sign_correct"]),
        _stack(logits, ["scan", "seed", "method", "raw", "simulated", "cycled"]),
    )


def _keep_order(logits: pd.DataFrame) -> pd.DataFrame:
    rows = [
        (f"rank_correlation_{group}", rank_correlation(part["raw"].to_numpy(), part["simulated"].to_numpy()), len(part))
        for group, part in logits.groupby("group")
    ]
    return pd.DataFrame(rows, columns=["metric", "value", "n"])


def _stack(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame(columns=columns)
    table = pd.concat(tables, ignore_index=True)
    return table[[*columns, *table.columns.drop(columns)]]


def _with_several_seeds(explained: list[Explained]) -> list[tuple[str, list[Explained]]]:
    methods = {one.method: [other for other in explained if other.method == one.method] for one in explained}
    return [(method, of_seeds) for method, of_seeds in methods.items() if len(of_seeds) > 1]


def _compare_means(of_seeds: list[Explained], tested: pd.DataFrame, mask: np.ndarray, truth: Truth):
    """What `evaluate` makes of one seed, for the mean of a method's maps over its seeds."""
    tested = of_seeds[0].answers_for(tested)
    rows = list(tested["row"])
    maps, true_maps = mean_rows([one.maps for one in of_seeds], rows), Rows(np.load(truth.maps, mmap_mode="r"), rows)
    numbers = compare_maps(maps, true_maps, mask, rows)
    group_map = np.mean([_image(one.group_map) for one in of_seeds], axis=0)
    measures, regions = _compare_groups(group_map, of_seeds[0].is_volume_change, truth, len(rows))
    return tested[["row", "scan", "group"]].merge(numbers, on="row"), measures, regions


def _image(path: str) -> np.ndarray:
    import nibabel

    return np.asarray(nibabel.load(path).dataobj)


def _compare_groups(group_map: np.ndarray, is_volume_change: bool, truth: Truth, n: int):
    """Measures of a group map, and its change by region."""
    true_map, mask = _image(truth.group_map), _image(truth.mask) > 0
    changes = region_changes(group_map, true_map, _image(truth.parcellation), _single(truth.regions))
    if is_volume_change:
        changes["change_percent"] = 100 * np.expm1(changes["mean"])
    changes["true_change_percent"] = 100 * np.expm1(changes["true_mean"])
    affected = changes["sign_correct"].dropna()
    measures = [
        ("ncc", ncc(group_map, true_map, mask), n),
        ("ncc_abs", ncc(np.abs(group_map), np.abs(true_map), mask), n),
    ]
    if len(affected):
        measures.append(("sign_correct", affected.mean(), len(affected)))
    if is_volume_change:
        slope, r = agreement(changes["true_mean"].to_numpy(), changes["mean"].to_numpy())
        measures += [("region_slope", slope, len(changes)), ("region_r", r, len(changes))]
    return pd.DataFrame(measures, columns=["metric", "value", "n"]), changes


def _single(path: str) -> pd.DataFrame:
    """A parcellation's table without the regions made of others, which would count twice."""
    table = pd.read_csv(path, sep="\t")
    return table[~table["name"].isin(of_several(table))].astype({"index": int})
