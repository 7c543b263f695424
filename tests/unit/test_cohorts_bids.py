"""BIDS datasets as they are: what does not match is left out and said, and the rest is used."""

import os

import pandas as pd
import pytest
from counterwarp.cohorts import sources
from counterwarp.errors import ConfigError

ANY = {"acq": None, "rec": None, "run": "first"}


class Dataset:
    """Eight subjects in two groups; tests add images, tables and faults."""

    def __init__(self, folder):
        self.folder = folder
        self.people = {f"{i:02d}": {"group": ["AD", "CN"][i % 2], "age": "70", "sex": "F"} for i in range(1, 9)}

    def add(self, *names):
        """Empty images; folders follow from the names."""
        for name in names:
            subject, *rest = name.split("_")
            session = f"{rest[0]}/" if rest[0].startswith("ses-") else ""
            image = self.folder / subject / session / "anat" / name
            image.parent.mkdir(parents=True, exist_ok=True)
            image.touch()
        return self

    def everyone(self, pattern="sub-{}_T1w.nii.gz"):
        return self.add(*(pattern.format(subject) for subject in self.people))

    def sessions(self, subject, text):
        (self.folder / f"sub-{subject}/sub-{subject}_sessions.tsv").write_text(text)

    def index(self, **cohort):
        """The table of scans by name, and why others are left out: (name, reason)."""
        rows = [{"participant_id": f"sub-{subject}", **facts} for subject, facts in self.people.items()]
        pd.DataFrame(rows).to_csv(self.folder / "participants.tsv", sep="\t", index=False)
        settings = {
            "source": "bids",
            "path": str(self.folder),
            "columns": {"group": "group", "age": "age", "sex": "sex"},
            "labels": {"CN": "control", "AD": "patient"},
            "bids": ANY,
            "validation_share": 0.25,
            "test_share": 0.25,
            "folds": 1,
            "seed": 0,
            "plant": {"regions": {}},
        }
        left_out = []
        scans = sources.index(settings | cohort, "", leave_out=lambda *why: left_out.append(why))
        return scans.set_index("scan"), left_out


@pytest.fixture
def dataset(tmp_path):
    return Dataset(tmp_path)


def test_subjects_with_and_without_sessions_and_both_kinds_of_files(dataset):
    dataset.everyone().add("sub-03_ses-pre_T1w.nii", "sub-03_ses-post_T1w.nii.gz")
    scans, left_out = dataset.index()
    assert len(scans) == 10 and left_out == []
    assert scans.path["sub-03_ses-pre"].endswith("sub-03/ses-pre/anat/sub-03_ses-pre_T1w.nii")
    assert scans.subject.value_counts()["03"] == 3


def test_runs_count_as_numbers_and_the_others_are_named(dataset):
    dataset.everyone("sub-{}_run-2_T1w.nii.gz").everyone("sub-{}_run-10_T1w.nii.gz")
    scans, left_out = dataset.index()
    assert scans.path.str.endswith("run-2_T1w.nii.gz").all() and len(left_out) == 8
    assert left_out[0][0] == "sub-01" and "run-10_T1w.nii.gz: sub-01_run-2_T1w.nii.gz stands for" in left_out[0][1]
    scans, _ = dataset.index(bids=ANY | {"run": "last"})
    assert scans.path.str.endswith("run-10_T1w.nii.gz").all()


def test_acquisition_and_reconstruction_are_chosen(dataset):
    """As in public datasets: MPRAGE and MP2RAGE beside each other, one with and without distortion correction."""
    dataset.everyone("sub-{}_acq-mprage_T1w.nii.gz").everyone("sub-{}_acq-mp2rage_rec-dis2d_T1w.nii.gz")
    scans, left_out = dataset.index(bids=ANY | {"acq": "mp2rage"})
    assert scans.path.str.contains("acq-mp2rage").all()
    assert "acq-mprage is not what cohort.bids asks for" in left_out[0][1]
    scans, _ = dataset.index(bids=ANY | {"rec": ""})
    assert scans.path.str.contains("acq-mprage").all()
    with pytest.raises(ConfigError, match=r"set cohort\.bids\.acq to one of 'mp2rage', 'mprage', or to null"):
        dataset.index(bids=ANY | {"acq": "flash"})


def test_listed_without_an_image_and_image_without_a_row_are_left_out_and_said(dataset):
    dataset.everyone()
    dataset.people["44"] = dataset.people["01"]
    dataset.add("sub-99_T1w.nii.gz")
    scans, left_out = dataset.index()
    assert len(scans) == 8
    reasons = dict(left_out)
    assert reasons["sub-44"] == "in participants.tsv, but without a T1w image"
    assert "sub-99_T1w.nii.gz: no row for sub-99 in participants.tsv" in reasons["sub-99"]


def test_sessions_listed_or_found_alone_are_left_out_and_the_diagnosis_may_change(dataset):
    dataset.everyone("sub-{}_ses-1_T1w.nii.gz").add("sub-02_ses-2_T1w.nii.gz", "sub-02_ses-9_T1w.nii.gz")
    dataset.sessions("02", "session_id\tgroup\tage\nses-1\tCN\t60\nses-2\tAD\t61\nses-3\tAD\t62\n")
    scans, left_out = dataset.index()
    assert scans.group[["sub-02_ses-1", "sub-02_ses-2"]].tolist() == ["control", "patient"]
    assert scans.age[["sub-02_ses-1", "sub-02_ses-2"]].tolist() == [60, 61]
    reasons = dict(left_out)
    assert set(reasons) == {"sub-02_ses-3", "sub-02_ses-9"}
    assert "without a T1w image" in reasons["sub-02_ses-3"]
    assert "ses-9 is not in the subject's table of sessions" in reasons["sub-02_ses-9"]


def test_the_first_scan_is_the_youngest_then_the_lowest_number(dataset):
    dataset.everyone("sub-{}_ses-m12_T1w.nii.gz").everyone("sub-{}_ses-m6_T1w.nii.gz")
    dataset.add("sub-01_ses-screening_T1w.nii.gz")
    dataset.sessions("01", "session_id\tage\nses-m6\t70\nses-m12\t71\nses-screening\t69.5\n")
    scans, _ = dataset.index()
    assert scans.index[scans.baseline & (scans.subject == "01")].tolist() == ["sub-01_ses-screening"]
    assert scans.index[scans.baseline & (scans.subject == "02")].tolist() == ["sub-02_ses-m6"]
    assert scans.baseline.sum() == 8 and (scans.groupby("subject").split.nunique() == 1).all()


def test_an_empty_cell_of_a_session_does_not_hide_what_is_said_of_the_subject(dataset):
    dataset.everyone("sub-{}_ses-1_T1w.nii.gz").add("sub-01_ses-2_T1w.nii.gz")
    dataset.sessions("01", "session_id\tage\tgroup\tscore\nses-1\tn/a\t\tn/a\nses-2\t72\tAD\t9\n")
    scans, _ = dataset.index()
    assert scans.loc["sub-01_ses-1", ["age", "group", "score"]].tolist() == [70, "control", ""]
    assert scans.loc["sub-01_ses-2", ["age", "group", "score"]].tolist() == [72, "patient", "9"]


def test_a_column_that_sessions_leave_empty_is_there_all_the_same(dataset):
    dataset.everyone("sub-{}_ses-1_T1w.nii.gz").sessions("01", "session_id\tscore\nses-1\tn/a\n")
    scans, _ = dataset.index()
    assert set(scans["score"]) == {""}


def test_an_image_of_another_group_is_left_out_and_said(dataset):
    dataset.everyone().people["05"]["group"] = "MCI"
    scans, left_out = dataset.index()
    assert "sub-05" not in scans.index
    assert left_out == [("sub-05", "its group 'MCI' is not among cohort.labels")]


def test_odd_names_and_dead_links_are_left_out_and_said(dataset):
    dataset.everyone()
    for name in ("sub-01_acq-a-b_t1_T1w.nii.gz", "sub-02_T1w.nii.gz", "sub-01_T1w.nii.bak"):
        (dataset.folder / "sub-01/anat" / name).touch()
    loop = dataset.folder / "sub-03/anat/sub-03_T1w.nii.gz"
    loop.unlink()
    loop.symlink_to(loop.name)
    scans, left_out = dataset.index()
    assert len(scans) == 7
    assert [name for name, _ in left_out] == ["sub-01", "sub-01", "sub-01", "sub-03", "sub-03"]
    text = "\n".join(reason for _, reason in left_out)
    assert text.count("not a name as BIDS has it") == 2
    assert "sub-02_T1w.nii.gz: the name belongs into another folder" in text
    assert "sub-03_T1w.nii.gz: a link that leads nowhere" in text


def test_an_image_without_permission_is_left_out_and_said(as_nobody):
    dataset = Dataset(as_nobody.folder).everyone()
    image = dataset.folder / "sub-03/anat/sub-03_T1w.nii.gz"
    image.chmod(0)
    with as_nobody:
        scans, left_out = dataset.index()
    assert len(scans) == 7
    assert left_out[0] == ("sub-03", f"{image}: no permission to read it; ask its owner for it")


def test_derivatives_and_source_data_are_not_scans(dataset):
    dataset.everyone()
    for place in ("derivatives/fs/sub-01/anat", "sourcedata/sub-01/anat", "sub-01/old/anat"):
        (dataset.folder / place).mkdir(parents=True)
        (dataset.folder / place / "sub-01_T1w.nii.gz").touch()
    assert dataset.index()[1] == []


def test_spaces_and_letters_of_any_alphabet_in_the_folder_are_kept(tmp_path):
    folder = tmp_path / "Étude été (1) \u8133"
    folder.mkdir()
    scans, _ = Dataset(folder).everyone().index()
    assert all(os.path.isfile(path) for path in scans.path)


def test_nothing_left_is_an_error_with_all_problems(dataset):
    with pytest.raises(ConfigError, match=r"no image sub-\*/\[ses-\*/\]anat"):
        dataset.index()
    dataset.add("sub-77_T1w.nii.gz")
    with pytest.raises(ConfigError, match="none of its 1 T1w images can be used; give them rows"):
        dataset.index()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("session_id\tage\nses-1\t60\nses-1\t61\n", "sub-01_sessions.tsv: session 1 is listed more than once"),
        ("visit\tage\nses-1\t60\n", r"sub-01_sessions.tsv: no column session_id \(it has 'visit', 'age'\)"),
    ],
)
def test_a_bad_table_of_sessions_is_named(dataset, text, message):
    dataset.everyone("sub-{}_ses-1_T1w.nii.gz").sessions("01", text)
    with pytest.raises(ConfigError, match=message):
        dataset.index()


def test_an_own_split_of_participants_is_honoured(dataset):
    splits = ["train", "train", "validation", "validation", "test", "test", "train", "train"]
    for facts, split in zip(dataset.everyone().people.values(), splits, strict=True):
        facts["split"] = split
    assert dataset.index()[0].split.tolist() == splits


def test_the_demo_is_read_back_as_it_was_drawn(tmp_path):
    """From the tables that the demo writes, beside empty images."""
    from pathlib import Path

    import yaml
    from counterwarp.cohorts.demo import write_bids_tables

    config = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())["cohort"]
    drawn = sources.index(config, str(tmp_path))
    for path in map(Path, drawn.path):
        path.parent.mkdir(parents=True)
        path.touch()
    subjects = [tmp_path / f"sub-{subject}/sub-{subject}_sessions" for subject in sorted(set(drawn.subject))]
    names = ("readme", "description", "truth_description", "participants_columns")
    write_bids_tables(
        drawn,
        **{name: tmp_path / name for name in names},
        participants=tmp_path / "participants.tsv",
        sessions=[f"{path}.tsv" for path in subjects],
        sessions_columns=[f"{path}.json" for path in subjects],
    )
    left_out = []
    read = sources.index(
        config | {"source": "bids", "path": str(tmp_path)}, "", leave_out=lambda *why: left_out.append(why)
    )
    table = ["scan", "folder", "subject", "session", "path", "group", "age", "sex", "split", "baseline"]
    pd.testing.assert_frame_equal(read[table], drawn[table], check_dtype=False)
    assert left_out == []
