"""A threshold and a temperature for a classifier's logits, taken on validation subjects."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

# Temperatures looked at, from a network that is ten times too timid to one that is a hundred times too sure.
TEMPERATURES = 0.1, 100.0


@dataclass(frozen=True)
class Calibration:
    """Who has a logit above `threshold` is called a patient; (logit - threshold) / temperature is the log-odds of that
    where both groups are as frequent."""

    threshold: float
    temperature: float


def calibrate(logits: np.ndarray, is_patient: np.ndarray) -> Calibration:
    """The threshold half way between the mean logits of the groups, and the temperature of the highest likelihood.

    Of a dozen subjects the means are known better than the place where most are told apart. Both groups weigh the same.
    Targets are smoothed as Platt's (1999), (n + 1) / (n + 2), so that groups that are told apart by all subjects do not
    make the classifier infinitely sure.

    Args:
        logits: (n,), of subjects that no network was trained on, of both groups.
        is_patient: (n,) bool.

    Returns:
        The threshold is 0 where the logits do not put the groups in the right order: then they say nothing.
    """
    patients, controls = logits[is_patient], logits[~is_patient]
    ordered = patients.mean() > controls.mean()
    threshold = float((patients.mean() + controls.mean()) / 2) if ordered else 0.0
    counts = {True: len(patients), False: len(controls)}
    sure = {group: (n + 1) / (n + 2) for group, n in counts.items()}
    targets = np.where(is_patient, sure[True], 1 - sure[False])
    weights = np.where(is_patient, 0.5 / counts[True], 0.5 / counts[False])

    def cost(log_temperature: float) -> float:
        odds = (logits - threshold) / np.exp(log_temperature)
        return float(-(weights * (targets * _log_expit(odds) + (1 - targets) * _log_expit(-odds))).sum())

    best = minimize_scalar(cost, bounds=np.log(TEMPERATURES), method="bounded")
    return Calibration(threshold, float(np.exp(best.x)))


def _log_expit(odds: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(expit(odds), np.finfo(float).tiny))
