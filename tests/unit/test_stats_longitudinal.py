"""NCC of longitudinal pairs: numbers by hand, each subject counted once."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.stats.longitudinal import by_subject, compare, score, score_methods, summarise

PAIRS = pd.DataFrame({"subject": ["a", "b"], "earlier": ["a1", "b1"], "later": ["a2", "b2"]})


def test_a_perfect_prediction_gives_1_and_its_negative_minus_1():
    change = np.random.default_rng(1).normal(size=(2, 4, 5))
    mask = np.ones((2, 4, 5), bool)
    assert score(PAIRS, change, change, mask)["ncc"].tolist() == pytest.approx([1, 1])
    assert score(PAIRS, -change, change, mask)["ncc"].tolist() == pytest.approx([-1, -1])


def test_eq_7_by_hand_inside_each_pair_s_own_mask():
    # Both means are 2; centred (-1, 0, 1) and (-1, -2, 3), with sds 1 and sqrt 7 and products 1, 0 and 3.
    predicted, change = np.array([[1.0, 2, 3, 50]] * 2), np.array([[1.0, 0, 5, -50]] * 2)
    mask = np.array([[True, True, True, False], [True, True, True, True]])
    first, second = score(PAIRS, predicted, change, mask)["ncc"]
    assert first == pytest.approx((1 + 0 + 3) / 2 / np.sqrt(7))
    assert second < -0.9


def scores(method, seed, values):
    return [{"method": method, "seed": seed, "subject": s, "ncc": value} for s, value in values]


def test_pairs_are_averaged_within_a_subject_first_then_subjects_then_seeds():
    table = pd.DataFrame(
        scores("cycle", 1, [("a", 0.2), ("a", 0.4), ("a", 0.6), ("b", 0.8)])
        + scores("cycle", 2, [("a", 0.1), ("a", 0.2), ("a", 0.3), ("b", 0.6)])
    )
    assert by_subject(table)["cycle"].loc["a"].tolist() == pytest.approx([0.4, 0.2])
    row = summarise(table, seed=1).iloc[0]
    # Seeds: (0.4 + 0.8) / 2 and (0.2 + 0.6) / 2.
    assert row["mean"] == pytest.approx(0.5)
    assert row["sd"] == pytest.approx(0.2 / np.sqrt(2))
    assert (row["seeds"], row["subjects"]) == (2, 2)
    assert np.isnan(row["low"]) and np.isnan(row["high"])


def test_the_paired_test_by_hand_and_its_interval():
    # One method is better by 0.1 in each of five subjects: of 32 choices of signs, two are as far from 0.
    rng = np.random.default_rng(1)
    base = dict(zip("abcde", rng.uniform(0, 0.8, 5), strict=True))
    table = pd.DataFrame(
        scores("defigan", 1, [(s, value + 0.1) for s, value in base.items()]) + scores("vagan", 1, base.items())
    )
    row = compare(table, seed=1).iloc[0]
    assert (row["first"], row["second"], row["subjects"]) == ("defigan", "vagan", 5)
    assert row["difference"] == row["low"] == pytest.approx(0.1)
    assert row["high"] == pytest.approx(0.1)
    assert row["p"] == pytest.approx(2 / 32)


def test_the_bootstrap_interval_is_that_of_the_mean_of_subjects():
    values = np.random.default_rng(1).normal(0.3, 0.1, 200)
    row = summarise(pd.DataFrame(scores("cycle", 1, enumerate(values))), seed=1).iloc[0]
    half = 1.96 * values.std() / np.sqrt(200)
    assert row["low"] == pytest.approx(values.mean() - half, abs=0.003)
    assert row["high"] == pytest.approx(values.mean() + half, abs=0.003)


def test_four_subjects_have_an_interval_within_their_range_and_three_have_none():
    values = list(zip("abcd", [0.1, 0.2, 0.3, 0.4], strict=True))
    row = summarise(pd.DataFrame(scores("cycle", 1, values)), seed=1).iloc[0]
    # Of 256 draws of four, 1 has a mean of 0.1, 4 of 0.125 and 10 of 0.15: the 2.5th percentile is the last of these.
    assert row["low"] == pytest.approx(0.15) and row["high"] == pytest.approx(0.35)
    assert np.isnan(summarise(pd.DataFrame(scores("cycle", 1, values[:3])), seed=1)["low"].iloc[0])


def test_one_subject_has_no_interval_and_a_constant_prediction_does_not_count():
    table = pd.DataFrame(scores("cycle", 1, [("a", 0.4), ("b", np.nan)]))
    row = summarise(table, seed=1).iloc[0]
    assert (row["mean"], row["subjects"]) == (0.4, 1)
    assert np.isnan(row["low"])


def pairs_of(change, mask):
    names = {name: np.array(["a", "b"]) for name in ("subject", "split", "earlier", "later")}
    return names | {"row": np.array([1, 0]), "change": change, "mask": mask}


def test_with_a_true_change_prediction_and_observation_are_both_compared_with_it():
    rng = np.random.default_rng(1)
    true, noise = rng.normal(size=(2, 8, 9, 10)), rng.normal(size=(2, 8, 9, 10))
    mask = np.ones(true.shape, bool)
    # Packed rows are in another order than pairs, and hold the change by the disease: later minus earlier.
    table = score_methods({("cycle", "1"): -true[::-1]}, pairs_of(true + noise, mask), true)
    assert table["ncc_true"].tolist() == pytest.approx([1, 1])
    # Of true change and noise with equal variance: 1 / sqrt 2, for the prediction as for the observation.
    assert table["ncc"].tolist() == pytest.approx(table["ncc_limit"].tolist())
    assert table["ncc"].mean() == pytest.approx(np.sqrt(0.5), abs=0.03)
    row = summarise(table, seed=1).iloc[0]
    assert (row["true_mean"], row["limit"]) == pytest.approx((1, table["ncc_limit"].mean()))


def test_without_a_true_change_the_tables_do_not_speak_of_one():
    change = np.random.default_rng(1).normal(size=(2, 4, 5))
    table = score_methods({("cycle", "1"): change}, pairs_of(change, np.ones(change.shape, bool)), None)
    assert "ncc_true" not in table and "limit" not in summarise(table, seed=1)
