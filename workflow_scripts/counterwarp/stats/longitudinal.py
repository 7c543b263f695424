"""Predicted change against what two scans of a subject show (Bigolin Lanfredi et al. 2020, section 3.3, Table 1)."""

import logging
from collections.abc import Iterable
from itertools import combinations
from operator import attrgetter

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, permutation_test

from counterwarp.arrays import Rows
from counterwarp.errors import ConfigError
from counterwarp.stats.ncc import ncc

LOG = logging.getLogger("counterwarp")
RESAMPLES = 9999
# Of three subjects, one draw in 27 takes the same three times, so that the 95 % interval would only be their range.
FEWEST = 4
ANY_FIELD = "any"


def pair_scans(
    scans: pd.DataFrame,
    earlier: str = "control",
    later: str = "patient",
    order: str = "age",
    needed: bool = False,
) -> pd.DataFrame:
    """The pairs of scans between which a subject's disease has begun, or gone on.

    A pair is a subject's first scan of the earlier group and each later scan of the later group at the same field
    strength. With one group for both, a pair is its first scan and each later one: progression within the disease.

    Args:
        scans: scan, subject, group, split, a column that orders them and, where it matters, field_strength.
        earlier, later: groups.
        order: the column that tells which of a subject's scans is earlier: age in years, or a date.
        needed: whether a cohort without any pair is an error.

    Returns:
        subject, split, field_strength, earlier, later (names of scans), in the order of the table; empty for a cohort
        that was scanned once, unless pairs are needed.

    Raises:
        ConfigError: no column of that order; or no pair where one is needed, pairs at different field strengths only, a
            pair in reverse order or of one time, a subject in two splits: every problem found.
    """
    if order not in scans:
        raise ConfigError(
            [
                f"longitudinal: no column {order!r} in the table of scans says which of two is earlier (it has "
                f"{', '.join(scans.columns)}); add it, or set longitudinal: null"
            ]
        )
    if "field_strength" not in scans:
        scans = scans.assign(field_strength=ANY_FIELD)
    splits = scans.groupby("subject")["split"].unique()
    problems = [
        f"sub-{subject}: in {' and '.join(sorted(names))}; keep a subject in one split"
        for subject, names in splits.items()
        if len(names) > 1
    ]
    rows, at_other_field = [], 0
    visits_of = {}
    for visit in scans.itertuples():
        visits_of.setdefault(visit.subject, []).append(visit)
    for visits in visits_of.values():
        before = len(rows)
        for field in dict.fromkeys(visit.field_strength for visit in visits):
            alike = [visit for visit in visits if visit.field_strength == field]
            first = min((visit for visit in alike if visit.group == earlier), key=attrgetter(order), default=None)
            for visit in alike:
                if first is None or visit.group != later or visit is first:
                    continue
                if getattr(visit, order) <= getattr(first, order):
                    problems.append(_out_of_order(first, visit, order))
                rows.append((first.subject, first.split, field, first.scan, visit.scan))
        at_other_field += len(rows) == before and _has_both(visits, earlier, later)
    if at_other_field:
        LOG.warning("left out, for want of a pair at one field strength: %d subjects", at_other_field)
    if not rows and (at_other_field or needed):
        reason = f" and field strength (subjects with both at different ones: {at_other_field})"
        problems.append(
            f"no {earlier} scan is followed by a {later} scan of the same subject{reason if at_other_field else ''}: "
            "add scans, or set longitudinal: null"
        )
    if problems:
        raise ConfigError(problems)
    return pd.DataFrame(rows, columns=["subject", "split", "field_strength", "earlier", "later"])


def _has_both(visits: list, earlier: str, later: str) -> bool:
    groups = [visit.group for visit in visits]
    return groups.count(earlier) > (earlier == later) and later in groups


def _out_of_order(first, visit, order: str) -> str:
    return (
        f"{visit.scan}: {order} {getattr(visit, order)} as {visit.group}, but {first.scan} has {order} "
        f"{getattr(first, order)} as {first.group} and should be earlier; correct {order} or group, or leave the scan "
        "out"
    )


def score(
    pairs: pd.DataFrame, predicted: Iterable[np.ndarray], change: Iterable[np.ndarray], mask: Iterable[np.ndarray]
) -> pd.DataFrame:
    """NCC of each pair's predicted and observed change.

    NCC = 1/(M - 1) sum_p (a(p) - mean a)(b(p) - mean b) / (sd a sd b) over the M voxels of the mask, sd with M - 1
    (eq. 7): Pearson's correlation.

    Args:
        pairs: of `pair_scans`, n rows.
        predicted: (*grid) of each pair, x0^ - x1 of the later scan.
        change: (*grid) of each pair, the earlier scan, registered to the later one, minus the later one.
        mask: (*grid) of each pair, bool, voxels inside both scans.

    Returns:
        subject, earlier, later, ncc (nan where the prediction is constant).
    """
    values = [ncc(*images) for images in zip(predicted, change, mask, strict=True)]
    return pairs[["subject", "earlier", "later"]].assign(ncc=values)


def by_subject(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean NCC over the pairs of each subject: no subject counts more for being scanned more often.

    Args:
        scores: method, seed, subject, ncc; one row a pair.

    Returns:
        A row a subject, a column a method and seed; nan where none of the pairs is defined.
    """
    return scores.pivot_table(index="subject", columns=["method", "seed"], values="ncc", sort=False, dropna=False)


def summarise(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Table 1: each method's mean NCC over subjects, and how it varies over seeds and over subjects.

    Args:
        scores: as of `by_subject`.
        seed: of the bootstrap.

    Returns:
        method, mean, sd (over the seeds' means, with n - 1), seeds, low and high (95 % interval of the mean when
        subjects are drawn anew, each with its mean over the seeds; nan for fewer than FEWEST), subjects.
    """
    subjects, rows = by_subject(scores), []
    for method in subjects.columns.unique("method"):
        means, values = subjects[method].mean(), subjects[method].mean(axis=1)
        low, high = _interval(values, seed)
        rows.append((method, means.mean(), means.std(), len(means), low, high, values.count()))
    return pd.DataFrame(rows, columns=["method", "mean", "sd", "seeds", "low", "high", "subjects"])


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
    jobs: dict[tuple[str, str], np.ndarray],
    maps: dict[tuple[str, str], np.ndarray],
    pairs: dict[str, np.ndarray],
    truth: np.ndarray | None,
) -> pd.DataFrame:
    """NCC of every method's prediction with what each pair shows, and of its map with the true one.

    Args:
        jobs: (method, seed) -> change of intensity by the disease of every packed scan, (n, *grid): x1 - x0^, or for a
            saliency method its map. The prediction is its negative, as the observed change is the earlier scan minus
            the later.
        maps: (method, seed) -> maps of every packed scan.
        pairs: of `counterwarp.imaging.longitudinal.pack_changes`.
        truth: true maps of every packed scan, or None.

    Returns:
        method, seed, subject, split, earlier, later, ncc, and with a truth ncc_truth.
    """
    scores = []
    names = pd.DataFrame({name: pairs[name] for name in ("subject", "split", "earlier", "later")})
    for (method, seed), change in jobs.items():
        predicted = (-image.astype(np.float32) for image in Rows(change, pairs["row"]))
        table = score(names, predicted, pairs["change"], pairs["mask"])
        table.insert(1, "split", names["split"])
        if truth is not None:
            found, true = (Rows(array, pairs["row"]) for array in (maps[method, seed], truth))
            table["ncc_truth"] = [ncc(*images) for images in zip(found, true, pairs["mask"], strict=True)]
        scores.append(table.assign(method=method, seed=seed))
    return pd.concat(scores, ignore_index=True)
