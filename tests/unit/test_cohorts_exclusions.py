"""Who is out, and why: one table of what the cohort, a failed step, quality control and the user say."""

import pandas as pd
import pytest
from counterwarp.cohorts.exclusions import exclusions, not_used, read_listed
from counterwarp.cohorts.table import write_left_out
from counterwarp.errors import ConfigError

LEFT_OUT = pd.DataFrame({"scan": ["sub-99"], "reason": ["no row in participants.tsv"]})
FLAGS = {"sub-1": [], "sub-2": ["brain mask of 0.30 l", "template correlation 0.20"], "sub-3": ["mask"], "sub-4": []}
FAILURES = [
    {"scan": "sub-5", "rule": "conform", "reason": "truncated"},
    {"scan": "sub-6", "rule": "segment", "reason": "no fluid"},
    {"scan": "sub-6", "rule": "syn", "reason": "diverged"},
    {"scan": "sub-6", "rule": "syn", "reason": "diverged"},
    {"scan": "sub-3", "rule": "segment", "reason": "no fluid"},
]
LISTED = {"sub-3": "moved", "sub-4": "tumour"}


@pytest.mark.parametrize(
    ("exclude", "out", "doubted"),
    [
        ("none", {"sub-99", "sub-5"}, {"sub-2", "sub-3"}),
        ("flagged", {"sub-99", "sub-5", "sub-2", "sub-3"}, set()),
        ("listed", {"sub-99", "sub-5", "sub-3", "sub-4"}, {"sub-2"}),
    ],
)
def test_the_configuration_decides_who_is_out_and_no_flag_is_silent(tmp_path, exclude, out, doubted):
    table = exclusions(LEFT_OUT, FLAGS, FAILURES, {"sub-5"}, LISTED, exclude)
    table.to_csv(tmp_path / "exclusions.tsv", sep="\t", index=False)
    assert not_used(tmp_path / "exclusions.tsv") == out
    # sub-3 is flagged and failed late as well; a scan is told of alike in all its rows.
    assert set(table.scan[table.used == "yes"]) == doubted - {"sub-3"}
    assert set(table.scan[table.used == "partly"]) == {"sub-6", "sub-3"} - out
    assert table.step[table.scan == "sub-6"].tolist() == ["segment", "syn"]
    reasons = table.drop_duplicates("scan").set_index("scan")
    assert reasons.loc["sub-5", ["step", "reason"]].tolist() == ["conform", "truncated"]
    assert reasons.reason["sub-2"] == "brain mask of 0.30 l; template correlation 0.20"
    if exclude == "listed":
        assert reasons.loc["sub-4", ["step", "reason"]].tolist() == ["list", "tumour"]


def test_another_image_of_a_scan_that_is_left_out_is_told_beside_it():
    left_out = pd.DataFrame({"scan": ["sub-2"], "reason": ["run-2: run-1 stands for this session"]})
    table = exclusions(left_out, FLAGS, [], [], {}, "none")
    assert table[["scan", "used", "step"]].to_numpy().tolist() == [
        ["sub-2", "no", "cohort"],
        ["sub-2", "yes", "qc"],
        ["sub-3", "yes", "qc"],
    ]


def test_without_a_table_nobody_is_out():
    assert not_used([]) == set()


def test_a_list_names_scans_that_there_are(tmp_path):
    path = tmp_path / "out.tsv"
    path.write_text("scan\treason\nsub-1\tmoved\n")
    assert read_listed(path, ["sub-1", "sub-2"]) == {"sub-1": "moved"}
    path.write_text("scan\nsub-1_ses-1\n")
    with pytest.raises(ConfigError, match=r"out.tsv: no scan 'sub-1_ses-1' in this cohort; write sub-X or sub-X_ses-Y"):
        read_listed(path, ["sub-1"])
    path.write_text("name\nsub-1\n")
    with pytest.raises(ConfigError, match="no column scan"):
        read_listed(path, ["sub-1"])
    with pytest.raises(ConfigError, match=r"none.tsv: no such table; set qc\.listed to one with a column scan"):
        read_listed(tmp_path / "none.tsv", ["sub-1"])


def test_whatever_a_users_table_holds_comes_back_from_ours(tmp_path):
    """A tab, a quote or a line end in a cell neither opens a column nor a row."""
    hostile = [("sub-a\tb", 'group "x"\tis\nunknown'), ("sub-<b>", "=1+1"), ("sub-n/a", "NA"), ("sub-'é'", "")]
    write_left_out(hostile, tmp_path / "left_out.tsv")
    left_out = pd.read_csv(tmp_path / "left_out.tsv", sep="\t", dtype=str, keep_default_na=False)
    exclusions(left_out, {}, [], [], {}, "none").to_csv(tmp_path / "exclusions.tsv", sep="\t", index=False)
    table = pd.read_csv(tmp_path / "exclusions.tsv", sep="\t", dtype=str, keep_default_na=False)
    assert sorted(zip(table.scan, table.reason, strict=True)) == sorted(hostile)
    assert not_used(tmp_path / "exclusions.tsv") == {scan for scan, _ in hostile}
