"""Scores of a classifier and their intervals, against published numbers and by hand."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.errors import CounterwarpError
from counterwarp.stats.intervals import area_under_curve, classification, mean_of_proportions, score_splits, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe, Two-sided confidence intervals for the single proportion, Stat. Med. 17, 1998, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(successes, trials, low, high):
    estimate = wilson(successes, trials)
    assert estimate.value == successes / trials
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-5)


def test_nobody_has_no_accuracy():
    assert np.isnan(wilson(0, 0).value)
    assert np.isnan(area_under_curve(np.array([1.0]), np.array([True])).low)


def test_balanced_accuracy_is_the_mean_of_sensitivity_and_specificity():
    logits = np.array([2.0, 1, -1, 3, -2, -2, -2, 1, -1, -3])
    is_patient = np.array([True] * 4 + [False] * 6)
    scores = classification(logits, is_patient)
    assert scores["sensitivity"].value == 3 / 4
    assert scores["specificity"].value == 5 / 6
    assert scores["balanced_accuracy"].value == pytest.approx((3 / 4 + 5 / 6) / 2)
    assert scores["accuracy"].value == 8 / 10


def test_the_interval_of_a_mean_by_hand():
    # Halves of sqrt(0.3^2 + 0.4^2) = 0.5 below and sqrt(0.06^2 + 0.08^2) = 0.1 above.
    first = type(wilson(1, 2))(0.8, 0.5, 0.86)
    second = type(wilson(1, 2))(0.6, 0.2, 0.68)
    estimate = mean_of_proportions(first, second)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.7, 0.45, 0.75))


def test_area_counts_ordered_pairs_and_half_of_ties():
    # Pairs (patient, control): (3, 1) right, (3, 2) right, (2, 1) right, (2, 2) tied: 3.5 of 4.
    logits = np.array([3.0, 2, 1, 2])
    assert area_under_curve(logits, np.array([True, True, False, False])).value == 3.5 / 4


def test_perfect_separation_still_leaves_doubt():
    logits = np.concatenate([np.arange(1, 10), -np.arange(1, 10)]).astype(float)
    estimate = area_under_curve(logits, logits > 0)
    assert estimate.value == estimate.high == 1
    assert 0.7 < estimate.low < 0.95


def test_the_area_of_swapped_groups_mirrors():
    rng = np.random.default_rng(1)
    is_patient = np.arange(30) < 12
    logits = rng.normal(size=30) + is_patient
    one, other = area_under_curve(logits, is_patient), area_under_curve(-logits, is_patient)
    assert (other.low, other.high) == pytest.approx((1 - one.high, 1 - one.low))


def test_the_interval_of_the_area_holds_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(2)
    is_patient = np.arange(40) < 20
    truth = 0.8556  # Phi(1.5 / sqrt(2))
    held = [
        estimate.low <= truth <= estimate.high
        for estimate in (area_under_curve(rng.normal(size=40) + 1.5 * is_patient, is_patient) for _ in range(1000))
    ]
    assert 0.92 < np.mean(held) < 0.98


def test_a_subject_may_count_once_only():
    logits = pd.DataFrame(
        {
            "seed": 1,
            "fold": "all",
            "split": "test",
            "subject": ["1", "1", "2"],
            "group": ["patient", "patient", "control"],
            "log_odds": 1.0,
        }
    )
    with pytest.raises(CounterwarpError, match="several scans"):
        score_splits(logits)
    assert set(score_splits(logits.drop(index=1))["n"]) == {2}
