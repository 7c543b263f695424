"""Predicted change against what two scans of a subject show (Bigolin Lanfredi et al. 2020, section 3.3, Table 1)."""

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, permutation_test

from counterwarp.arrays import Rows
from counterwarp.stats.ncc import ncc

RESAMPLES = 9999
# Of three subjects, one draw in 27 takes the same three times, so that the 95 % interval would only be their range.
FEWEST = 4


def score(
    pairs: pd.DataFrame, predicted: Iterable[np.ndarray], change: Iterable[np.ndarray], mask: Iterable[np.ndarray]
) -> pd.DataFrame:
    """NCC of each pair's predicted and observed change.

    NCC = 1/(M - 1) sum_p (a(p) - mean a)(b(p) - mean b) / (sd a sd b) over the M voxels of the mask, sd with M - 1
    (eq. 7): Pearson's correlation.

    Args:
        pairs: of `counterwarp.cohorts.pairs.pair_scans`, n rows.
        predicted: (*grid) of each pair, x0^ - x1 of the later scan.
        change: (*grid) of each pair, the earlier scan, registered to the later one, minus the later one.
        mask: (*grid) of each pair, bool, voxels inside both scans.

    Returns:
        subject, earlier, later, ncc (nan where the prediction is constant).
    """
    values = [ncc(*images) for images in zip(predicted, change, mask, strict=True)]
    return pairs[["subject", "earlier", "later"]].assign(ncc=values)


def by_subject(scores: pd.DataFrame, values: str = "ncc") -> pd.DataFrame:
    """Mean NCC over the pairs of each subject: no subject counts more for being scanned more often.

    Args:
        scores: method, seed, subject, ncc; one row a pair.
        values: the column to average.

    Returns:
        A row a subject, a column a method and seed; nan where none of the pairs is defined.
    """
    return scores.pivot_table(index="subject", columns=["method", "seed"], values=values, sort=False, dropna=False)


def summarise(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Table 1: each method's mean NCC over subjects, and how it varies over seeds and over subjects.

    Args:
        scores: as of `by_subject`.
        seed: of the bootstrap.

    Returns:
        method, mean, sd (over the seeds' means, with n - 1), seeds, low and high (95 % interval of the mean when
        subjects are drawn anew, each with its mean over the seeds; nan for fewer than FEWEST), subjects; and where
        scores have ncc_true, true_mean and true_sd (of that, likewise) and limit (mean of ncc_limit over subjects).
    """
    subjects, rows = by_subject(scores), []
    for method in subjects.columns.unique("method"):
        means, values = subjects[method].mean(), subjects[method].mean(axis=1)
        low, high = _interval(values, seed)
        rows.append((method, means.mean(), means.std(), len(means), low, high, values.count()))
    table = pd.DataFrame(rows, columns=["method", "mean", "sd", "seeds", "low", "high", "subjects"])
    if "ncc_true" in scores:
        of_seeds = by_subject(scores, "ncc_true").mean().groupby(level="method", sort=False)
        table["true_mean"], table["true_sd"] = of_seeds.mean().to_numpy(), of_seeds.std().to_numpy()
        table["limit"] = scores.groupby("subject")["ncc_limit"].mean().mean()
    return table


def compare(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Whether one method predicts the change of the same subjects better than another.

    Args:
        scores: as of `by_subject`.
        seed: of the bootstrap and of the test.

    Returns:
        first, second (methods), difference (of their mean NCC over seeds and subjects), low and high (95 % interval
        when subjects are drawn anew), p (two-sided test that turns the sign of each subject's difference; exact for
        few subjects), subjects.
    """
    of_method = by_subject(scores).T.groupby(level="method", sort=False).mean().T
    rows = []
    for first, second in combinations(of_method, 2):
        values = of_method[first] - of_method[second]
        low, high = _interval(values, seed)
        rows.append((first, second, values.mean(), low, high, _paired_p(values, seed), values.count()))
    return pd.DataFrame(rows, columns=["first", "second", "difference", "low", "high", "p", "subjects"])


def _interval(values: pd.Series, seed: int) -> tuple[float, float]:
    """Percentiles 2.5 and 97.5 of the mean of subjects drawn with replacement; nan for fewer than FEWEST subjects."""
    known = values.dropna().to_numpy()
    if len(known) < FEWEST:
        return np.nan, np.nan
    result = bootstrap((known,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=seed)
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _paired_p(differences: pd.Series, seed: int) -> float:
    known = differences.dropna().to_numpy()
    if len(known) < 2:
        return np.nan
    test = permutation_test((known,), np.mean, permutation_type="samples", n_resamples=RESAMPLES, rng=seed)
    return float(test.pvalue)


def score_methods(
    jobs: dict[tuple[str, str], np.ndarray], pairs: dict[str, np.ndarray], truth: np.ndarray | None
) -> pd.DataFrame:
    """NCC of every method's prediction with what each pair shows and, where it is known, with the true change.

    Args:
        jobs: (method, seed) -> change of intensity by the disease of every packed scan, (n, *grid): x1 - x0^, or for a
            saliency method its map. The prediction is its negative, as the observed change is the earlier scan minus
            the later.
        pairs: of `counterwarp.imaging.longitudinal.pack_changes`.
        truth: (pairs, *grid), the earlier scan minus the later one without noise, bias field and registration; or None.

    Returns:
        method, seed, subject, split, earlier, later, ncc; and with a truth ncc_true, of the prediction with it, and
        ncc_limit, of the observed change with it.
    """
    scores = []
    names = pd.DataFrame({name: pairs[name] for name in ("subject", "split", "earlier", "later")})
    known = None if truth is None else Rows(truth, range(len(truth)))
    limit = None if truth is None else score(names, pairs["change"], known, pairs["mask"])["ncc"]
    for (method, seed), change in jobs.items():
        table = score(names, _predicted(change, pairs), pairs["change"], pairs["mask"])
        table.insert(1, "split", names["split"])
        if truth is not None:
            table["ncc_true"] = score(names, _predicted(change, pairs), known, pairs["mask"])["ncc"]
            table["ncc_limit"] = limit
        scores.append(table.assign(method=method, seed=seed))
    return pd.concat(scores, ignore_index=True)


def _predicted(change: np.ndarray, pairs: dict[str, np.ndarray]) -> Iterable[np.ndarray]:
    return (-image.astype(np.float32) for image in Rows(change, pairs["row"]))
