"""Longitudinal pairs and their NCC: which scans make a pair, numbers by hand, each subject counted once."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.errors import ConfigError
from counterwarp.stats.longitudinal import by_subject, compare, pair_scans, score, summarise


def table(*rows):
    """Rows of subject, session, group, age, field strength, split."""
    scans = pd.DataFrame(rows, columns=["subject", "session", "group", "age", "field_strength", "split"])
    return scans.assign(scan="sub-" + scans["subject"] + "_ses-" + scans["session"])


CONVERTER = (
    ("01", "1", "control", 70.0, "3.0", "test"),
    ("01", "2", "control", 71.0, "3.0", "test"),
    ("01", "3", "patient", 72.0, "3.0", "test"),
    ("01", "4", "patient", 73.0, "1.5", "test"),
    ("01", "5", "patient", 74.0, "3.0", "test"),
)


def test_a_pair_is_the_first_scan_of_the_earlier_group_and_each_later_one_at_its_field_strength():
    stable = [("02", "1", "control", 60.0, "3.0", "test"), ("03", "1", "patient", 60.0, "3.0", "test")]
    pairs = pair_scans(table(*CONVERTER[::-1], *stable))
    assert set(pairs["earlier"]) == {"sub-01_ses-1"}
    assert sorted(pairs["later"]) == ["sub-01_ses-3", "sub-01_ses-5"]
    assert set(pairs["split"]) == {"test"}


def test_within_one_group_a_pair_is_its_first_scan_and_each_later_one():
    pairs = pair_scans(table(*CONVERTER), earlier="patient")
    assert pairs[["earlier", "later"]].values.tolist() == [["sub-01_ses-3", "sub-01_ses-5"]]


def test_without_field_strengths_all_scans_are_alike_and_dates_give_an_order_too():
    scans = table(*CONVERTER).drop(columns="field_strength").rename(columns={"age": "date"})
    scans["date"] = ["2001-05-01", "2001-11-02", "2002-01-01", "2002-02-01", "2003-01-01"]
    assert len(pair_scans(scans, order="date")) == 3


def test_no_pair_of_one_field_strength_is_an_error_that_says_so():
    with pytest.raises(ConfigError, match=r"no control scan is followed .*\(subjects with both at different ones: 1\)"):
        pair_scans(table(CONVERTER[0], CONVERTER[3]))


def test_a_cohort_that_was_scanned_once_has_no_pairs_and_that_is_no_error():
    assert pair_scans(table(CONVERTER[0], CONVERTER[3]), earlier="patient").empty


def test_subjects_at_two_field_strengths_are_left_out_with_a_line_in_the_log(caplog):
    other = [("02", "1", "control", 60.0, "1.5", "test"), ("02", "2", "patient", 61.0, "3.0", "test")]
    assert set(pair_scans(table(*CONVERTER, *other))["subject"]) == {"01"}
    assert "left out, for want of a pair at one field strength: 1 subjects" in caplog.text


def test_reverse_order_and_two_splits_are_all_listed():
    scans = table(
        ("01", "1", "control", 72.0, "3.0", "test"),
        ("01", "2", "patient", 70.0, "3.0", "test"),
        ("02", "1", "control", 65.0, "3.0", "test"),
        ("02", "2", "patient", 65.0, "3.0", "train"),
    )
    with pytest.raises(ConfigError) as caught:
        pair_scans(scans)
    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        "sub-02: in test and train",
        "sub-01_ses-2: age 70.0 as patient, but sub-01_ses-1 has age 72.0 as control and should be earlier",
        "sub-02_ses-2: age 65.0 as patient, but sub-02_ses-1 has age 65.0 as control and should be earlier",
    ]


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
