"""How well a classifier does, each number with its 95 % interval.

The intervals are closed formulas that stay honest in small and in perfectly separated samples, where a bootstrap
would return an interval of no width.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
import pandas as pd

from counterwarp.errors import CounterwarpError
from counterwarp.stats import ALL
from counterwarp.stats.calibration import Calibration, calibrate

Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Estimate:
    """A number between 0 and 1 and its 95 % interval; all nan where no subject defines it."""

    value: float
    low: float
    high: float


UNDEFINED = Estimate(float("nan"), float("nan"), float("nan"))


def wilson(successes: int, trials: int) -> Estimate:
    """A proportion with the score interval of Wilson (1927).

    low, high = (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
    """
    if trials == 0:
        return UNDEFINED
    p = successes / trials
    centre = p + Z**2 / (2 * trials)
    half = Z * sqrt(p * (1 - p) / trials + Z**2 / (4 * trials**2))
    scale = 1 + Z**2 / trials
    return Estimate(p, max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))


def mean_of_proportions(first: Estimate, second: Estimate) -> Estimate:
    """The mean of two independent proportions; its interval combines theirs (Zou and Donner 2008, MOVER).

    low = m - sqrt((p1 - l1)^2 + (p2 - l2)^2) / 2, and likewise above. Balanced accuracy is such a mean.
    """
    value = (first.value + second.value) / 2
    below = sqrt((first.value - first.low) ** 2 + (second.value - second.low) ** 2) / 2
    above = sqrt((first.high - first.value) ** 2 + (second.high - second.value) ** 2) / 2
    return Estimate(value, value - below, value + above)


def area_under_curve(logits: np.ndarray, is_patient: np.ndarray) -> Estimate:
    """Area under the ROC curve: the share of pairs of a patient and a control that the logit puts in the right order.

    A tie counts half. The interval is method 5 of Newcombe (2006): every area A within z standard errors of the
    observed one, the standard error being Hanley and McNeil's at A, with both group sizes replaced by their mean.

    Args:
        logits: shape (n,); higher means patient.
        is_patient: boolean, shape (n,).
    """
    patients, controls = logits[is_patient], logits[~is_patient]
    if not len(patients) or not len(controls):
        return UNDEFINED
    difference = patients[:, None] - controls[None, :]
    value = float(np.mean((difference > 0) + 0.5 * (difference == 0)))
    m, n = len(patients), len(controls)

    def outside(area: float) -> bool:
        others = (m + n) / 2 - 1
        variance = area * (1 - area) * (1 + others * ((1 - area) / (2 - area) + area / (1 + area))) / (m * n)
        return (value - area) ** 2 > Z**2 * variance

    return Estimate(value, _edge(outside, 0.0, value), _edge(outside, 1.0, value))


def _edge(outside, far: float, near: float) -> float:
    """Where `outside` stops being true between a far and a near value, by bisection."""
    if not outside(far):
        return far
    for _ in range(50):
        middle = (far + near) / 2
        far, near = (middle, near) if outside(middle) else (far, middle)
    return near


def classification(logits: np.ndarray, is_patient: np.ndarray) -> dict[str, Estimate]:
    """Accuracy, balanced accuracy, sensitivity, specificity and area under the curve.

    Args:
        logits: shape (n,), one a subject, so that the subjects are independent; positive means patient.
        is_patient: boolean, shape (n,).
    """
    called = logits > 0
    sensitivity = wilson(int(np.sum(called & is_patient)), int(np.sum(is_patient)))
    specificity = wilson(int(np.sum(~called & ~is_patient)), int(np.sum(~is_patient)))
    return {
        "balanced_accuracy": mean_of_proportions(sensitivity, specificity),
        "accuracy": wilson(int(np.sum(called == is_patient)), len(logits)),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "auc": area_under_curve(logits, is_patient),
    }


def _calibrated(logits: pd.DataFrame) -> Calibration:
    """Of one network; the network's own where no validation subject of either group is there."""
    held_out = logits[logits["split"] == "validation"]
    is_patient = (held_out["group"] == "patient").to_numpy()
    if len(set(is_patient)) < 2:
        return Calibration(0.0, 1.0)
    return calibrate(held_out["logit"].to_numpy(), is_patient)


def score_splits(logits: pd.DataFrame) -> pd.DataFrame:
    """Scores of every seed on every split; who is called a patient is decided by the threshold that validation gives.

    Args:
        logits: of `with_log_odds`.

    Returns:
        seed, fold, split, metric, value, low, high, n; and of each seed and fold threshold and temperature, which
        belong to split validation (`calibration.calibrate`). Test subjects of all folds are scored together, with ALL
        for their fold.

    Raises:
        CounterwarpError: where a subject counts twice in a group, because then the intervals would be too narrow.
    """
    if logits.duplicated(["seed", "fold", "subject", "group"]).any():
        raise CounterwarpError("a subject has several scans in the scores of the classifier; keep its first scan only")
    rows = []
    scored = logits.assign(fold=logits["fold"].where(logits["split"] != "test", ALL))
    for (seed, fold, split), part in scored.groupby(["seed", "fold", "split"], sort=False):
        scores = classification(part["log_odds"].to_numpy(), (part["group"] == "patient").to_numpy())
        name = seed, fold, split
        rows += [(*name, metric, score.value, score.low, score.high, len(part)) for metric, score in scores.items()]
        if split == "validation":
            nothing = (float("nan"),) * 2
            rows += [(*name, one, part[one].iloc[0], *nothing, len(part)) for one in ("threshold", "temperature")]
    return pd.DataFrame(rows, columns=["seed", "fold", "split", "metric", "value", "low", "high", "n"])


def with_log_odds(logits: pd.DataFrame) -> pd.DataFrame:
    """The logits as log-odds, by what validation subjects say of each network; a positive one calls for a patient.

    Args:
        logits: seed, fold (ALL where there is one split), split, subject, group, logit; one row a subject, group, seed
            and fold: who falls ill between two scans counts once in either group.

    Returns:
        These and threshold, temperature, log_odds.
    """
    parts = []
    for _, part in logits.groupby(["seed", "fold"], sort=False):
        known = _calibrated(part)
        odds = (part["logit"] - known.threshold) / known.temperature
        parts.append(part.assign(threshold=known.threshold, temperature=known.temperature, log_odds=odds))
    return pd.concat(parts)
