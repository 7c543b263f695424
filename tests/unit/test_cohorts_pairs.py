"""Longitudinal pairs: which scans make one, and what is wrong with a table of them."""

import pandas as pd
import pytest
from counterwarp.cohorts.pairs import pair_scans
from counterwarp.errors import ConfigError


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
