"""Every method against the truth, by the same measures."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from counterwarp.stats import MEAN
from counterwarp.stats.ncc import ncc

MAP_METRICS = ("ncc", "ncc_abs")
LOGIT_METRICS = ("logit_shift", "changes_sides", "cycle_logit_error")
SUBJECT_METRICS = (*MAP_METRICS, *LOGIT_METRICS, "folding_percent", "cycle_rmse")


def compare_maps(
    maps: Iterable[np.ndarray], truth: Iterable[np.ndarray], mask: np.ndarray, rows: list[int]
) -> pd.DataFrame:
    """NCC of each subject's map to the truth.

    Args:
        maps, truth: (*shape) of each scan, in its own frame on the network's grid, looked at one after the other.
        mask: (*shape), boolean.
        rows: which scans they are.

    Returns:
        row, ncc, and ncc_abs: the same of absolute values, for methods whose sign means something else. nan where a map
        is constant.
    """
    table = [
        (row, ncc(found, true, mask), ncc(np.abs(found), np.abs(true), mask))
        for row, found, true in zip(rows, maps, truth, strict=True)
    ]
    return pd.DataFrame(table, columns=["row", "ncc", "ncc_abs"])


def compare_logits(logits: pd.DataFrame, is_patient: np.ndarray) -> pd.DataFrame:
    """What simulation does to the classifier's logit.

    Args:
        logits: row, raw, simulated, cycled.
        is_patient: boolean, one a row.

    Returns:
        row, logit_shift (simulated minus raw, positive towards the other group), changes_sides (1 where the classifier
        changes its mind), cycle_logit_error (absolute difference of cycled and raw).
    """
    towards = np.where(is_patient, -1.0, 1.0)
    return pd.DataFrame(
        {
            "row": logits["row"],
            "logit_shift": (logits["simulated"] - logits["raw"]) * towards,
            "changes_sides": ((logits["simulated"] > 0) != (logits["raw"] > 0)).astype(float),
            "cycle_logit_error": (logits["cycled"] - logits["raw"]).abs(),
        }
    )


def rank_correlation(raw: np.ndarray, simulated: np.ndarray) -> float:
    """Spearman's correlation of the logits before and after: 1 where simulation keeps the order of disease severity.

    Returns:
        A number from -1 to 1, nan for fewer than three scans or where one of the two does not vary.
    """
    if len(raw) < 3 or np.ptp(raw) == 0 or np.ptp(simulated) == 0:
        return float("nan")
    return float(spearmanr(raw, simulated).statistic)


def region_changes(group_map: np.ndarray, truth: np.ndarray, parcellation: np.ndarray, regions: pd.DataFrame):
    """Mean change of each region in a group map and in the truth.

    Args:
        group_map, truth: log-Jacobians on the parcellation's grid, expansion positive.
        parcellation: labels.
        regions: index, name, tissue and, where it is known, affected (-1, 0, +1).

    Returns:
        region, tissue, affected, mean (of the map, in its own unit), true_mean (log-Jacobian), sign_correct (nan for
        regions that the disease does not touch, or of which that is not known).
    """
    rows = []
    for region in regions.itertuples():
        affected = getattr(region, "affected", float("nan"))
        inside = parcellation == region.index
        mean = float(group_map[inside].mean()) if inside.any() else float("nan")
        rows.append(
            {
                "region": region.name,
                "tissue": region.tissue,
                "affected": affected,
                "mean": mean,
                "true_mean": float(truth[inside].mean()) if inside.any() else float("nan"),
                "sign_correct": float(np.sign(mean) == affected) if affected in (-1, 1) else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def agreement(true: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """How predicted changes of regions follow the true ones: slope of the least-squares line, and Pearson's r.

    A slope of 1 means that the map can be read as the size of the change.

    Args:
        true, predicted: one value a region, in one unit; nan for a region without voxels.

    Returns:
        Both nan where fewer than two regions are left or the truth does not vary.
    """
    known = np.isfinite(true) & np.isfinite(predicted)
    true, predicted = true[known], predicted[known]
    if len(true) < 2 or np.ptp(true) == 0:
        return float("nan"), float("nan")
    slope = np.polyfit(true, predicted, 1)[0]
    return float(slope), ncc(true, predicted)


def summarise(subjects: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """The table of methods: each measure by method and seed, then over the seeds.

    Args:
        subjects: method, seed, scan, and any of SUBJECT_METRICS; one row a method, seed and scan.
        groups: method, seed, metric, value, n; measures of group maps.

    Returns:
        method, seed, level (subject or group), metric, mean, sd, n. For one seed, mean and sd are over the n
        subjects in which the measure is defined. Seed "all" has mean and sd over the n seeds of their means (MEAN, of
        maps averaged over the seeds, is none of those). The measure ncc_median gives the median subject's NCC as its
        mean.
    """
    rows = []
    for (method, seed), part in subjects.groupby(["method", "seed"], sort=False):
        for metric in (name for name in SUBJECT_METRICS if name in part):
            values = part[metric].dropna()
            if len(values):
                rows.append((method, seed, "subject", metric, values.mean(), values.std(), len(values)))
                if metric == "ncc":
                    rows.append((method, seed, "subject", "ncc_median", values.median(), np.nan, len(values)))
    for row in groups.itertuples():
        rows.append((row.method, row.seed, "group", row.metric, row.value, np.nan, row.n))
    table = pd.DataFrame(rows, columns=["method", "seed", "level", "metric", "mean", "sd", "n"])
    over = (
        table[table["seed"] != MEAN]
        .groupby(["method", "level", "metric"], sort=False)["mean"]
        .agg(["mean", "std", "count"])
        .reset_index()
    )
    over = over.rename(columns={"std": "sd", "count": "n"})
    over["seed"] = "all"
    return pd.concat([table.astype({"seed": str}), over[table.columns]], ignore_index=True)
