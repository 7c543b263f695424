"""The table of scans: splits, ids, and every fault said at once."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.cohorts import sources, table
from counterwarp.cohorts.pairs import pair_scans
from counterwarp.errors import ConfigError


def people(n=8, **columns):
    rows = [
        {
            "subject": f"{i:03d}",
            "session": "",
            "path": f"sub-{i:03d}_T1w.nii.gz",
            "group": "control" if i % 2 else "patient",
            "age": "70",
            "sex": "F",
        }
        for i in range(1, n + 1)
    ]
    return pd.DataFrame(rows).assign(**columns)


def problems(scans, validation_share=0.25, test_share=0.25):
    with pytest.raises(ConfigError) as caught:
        table.finish(scans, validation_share, test_share, seed=0)
    return caught.value.problems


def test_split_is_by_subject_stratified_and_repeatable():
    scans = pd.concat([people(16), people(16).assign(session="02")])
    done = table.finish(scans, 0.25, 0.25, seed=3)
    assert (done.groupby("subject").split.nunique() == 1).all()
    counts = done[done.baseline].groupby(["group", "split"]).size()
    assert counts.to_dict() == {
        (group, split): n for group in table.GROUPS for split, n in (("train", 4), ("validation", 2), ("test", 2))
    }
    pd.testing.assert_frame_equal(done, table.finish(scans, 0.25, 0.25, seed=3))
    assert not done.split.equals(table.finish(scans, 0.25, 0.25, seed=4).split)


def test_subjects_scanned_again_are_spread_over_the_splits():
    first = people(40)
    again = first[::4].assign(session="02")
    done = table.finish(pd.concat([first, again]), 0.2, 0.3, seed=5)
    # Ten of the twenty patients are scanned again; of twenty subjects 6 are for test and 4 for validation.
    assert done[~done.baseline].split.value_counts().to_dict() == {"train": 5, "test": 3, "validation": 2}
    # Those of a cohort that was scanned once are drawn as if nobody had been asked.
    once = table.finish(first, 0.2, 0.3, seed=5)
    rng = np.random.default_rng(5)
    for group in table.GROUPS:
        drawn = rng.permutation(once.subject[once.group == group].to_numpy())
        assert set(once.subject[(once.group == group) & (once.split == "test")]) == set(drawn[:6])


def test_who_falls_ill_between_two_scans_is_in_both_groups():
    """The paper's films: single ones for training, subjects who fall ill for validation and test."""
    singles = people(4).assign(split="train")
    pairs = people(2).assign(subject=["103", "104"], path=["a.png", "b.png"], group="control")
    pairs["split"] = ["validation", "test"]
    later = pairs.assign(session="2", group="patient")
    done = table.finish(pd.concat([singles, pairs, later]), 0.25, 0.25, 0)
    assert done.groupby("group").split.nunique().to_dict() == {"control": 3, "patient": 3}
    assert any("test: 0 of 3 patient subjects" in line for line in problems(pd.concat([singles, pairs, later[:1]])))


def film_table(folder, **changed):
    """Settings of a cohort of twelve subjects, one of whom falls ill; `changed`: column -> row -> value."""
    (folder / "film.png").write_bytes(b"x")
    rows = [
        {"subject": f"{i:02d}", "path": "film.png", "date": "2015-01-31", "label": str(i % 2), "view": "PA"}
        for i in range(12)
    ]
    rows.append(rows[0] | {"date": "2016-02-29", "label": "1"})
    for column, values in changed.items():
        for row, value in values.items():
            rows[row] = rows[row] | {column: value}
    pd.DataFrame(rows).to_csv(folder / "films.tsv", sep="\t", index=False)
    return cohort(
        folder / "films.tsv",
        "films",
        columns={"group": "label", "age": "age", "sex": "sex"},
        labels={"0": "control", "1": "patient"},
    )


def test_films_need_neither_age_nor_sex_and_their_dates_are_their_sessions(tmp_path):
    left_out = []
    settings = film_table(tmp_path, view={3: "lateral", 4: "pa"})
    found = sources.index(settings, "", leave_out=lambda *why: left_out.append(why))
    assert len(found) == 12 and "sub-03_ses-20150131" not in set(found.scan)
    assert left_out == [("sub-03_ses-20150131", "its view is lateral, not PA")]
    first, second = found[found.subject == "00"].itertuples()
    assert (first.session, first.baseline, first.group) == ("20150131", True, "control")
    assert (second.session, second.baseline, second.group) == ("20160229", False, "patient")
    pairs = pair_scans(found, order="date", needed=True)
    assert pairs[["earlier", "later"]].to_numpy().tolist() == [["sub-00_ses-20150131", "sub-00_ses-20160229"]]
    written = tmp_path / "scans.tsv"
    table.write_if_changed(found, written)
    assert table.read(written).scan.to_list() == found.scan.to_list()


def test_a_table_of_slices_needs_neither_views_nor_dates(tmp_path):
    """The columns of a table of scans will do; two images of a subject then differ by their session."""
    for number in range(1, 9):
        (tmp_path / f"sub-{number:03d}_T1w.nii.gz").touch()
    slices = people().drop(columns="session")
    slices.to_csv(tmp_path / "slices.csv", index=False)
    found = sources.index(cohort(tmp_path / "slices.csv", "films"), "")
    assert found.scan.to_list() == [f"sub-{number:03d}" for number in range(1, 9)] and found.baseline.all()
    with pytest.raises(ConfigError, match=r"no column 'date' .* which of two is earlier .*longitudinal: null"):
        pair_scans(found, order="date", needed=True)
    again = pd.concat([people(), people(1).assign(session="2")])
    again.to_csv(tmp_path / "slices.csv", index=False)
    found = sources.index(cohort(tmp_path / "slices.csv", "films"), "")
    assert found.scan.to_list()[:3] == ["sub-001", "sub-001_ses-2", "sub-002"]


def test_every_fault_of_a_table_of_films_is_said_at_once(tmp_path):
    faults = {"date": {1: "31.1.2015"}, "view": {2: ""}, "path": {5: "../none.png", 6: "none.png"}}
    with pytest.raises(ConfigError) as caught:
        sources.index(film_table(tmp_path, **faults), "")
    text = "\n".join(caught.value.problems)
    assert "row 2: date '31.1.2015' is not of the form" in text and "row 3: no view" in text
    assert "row 6: '../none.png' leaves" in text and "left out, the first: sub-06_ses-20150131: " in text
    with pytest.raises(ConfigError, match="no film has the view PA"):
        sources.index(film_table(tmp_path, view=dict.fromkeys(range(13), "LL")), "")
    with pytest.raises(ConfigError, match="no patient among 12 subjects"):
        sources.index(film_table(tmp_path, label=dict.fromkeys(range(13), "0")), "")
    with pytest.raises(ConfigError, match="sub-00_ses-20150131: listed 2 times"):
        sources.index(film_table(tmp_path, date={12: "2015-01-31"}), "")
    with pytest.raises(ConfigError, match="sub-00: in test and train; keep a subject in one split"):
        splits = dict(enumerate(["train"] * 6 + ["validation"] * 3 + ["test"] * 4))
        sources.index(film_table(tmp_path, split=splits), "")


def test_films_without_a_pair_or_with_one_in_reverse_order_are_refused(tmp_path):
    found = sources.index(film_table(tmp_path, label={12: "0"}), "")
    with pytest.raises(ConfigError, match="no control scan is followed by a patient scan of the same subject: add"):
        pair_scans(found, order="date", needed=True)
    found = sources.index(film_table(tmp_path, date={12: "2014-01-01"}), "")
    with pytest.raises(ConfigError, match=r"date 2014-01-01 as patient, but .* has date 2015-01-31 as control"):
        pair_scans(found, order="date", needed=True)


def test_the_papers_films_are_indexed(tmp_path):
    """Bigolin Lanfredi et al. 2020: 3189 films for training, 206 pairs of 176 subjects and 547 of 354."""
    rows = [(str(i), "train", int(i >= 2226), 0) for i in range(2226 + 963)]
    for split, subjects, pairs in (("validation", 176, 206), ("test", 354, 547)):
        for i in range(subjects):
            later = pairs // subjects + (i < pairs % subjects)
            rows += [(f"{split}{i}", split, min(visit, 1), visit) for visit in range(1 + later)]
    films = pd.DataFrame(rows, columns=["subject", "split", "label", "visit"])
    films = films.assign(date="201" + films["visit"].astype(str) + "-06-01", path="film.png", view="PA")
    settings = film_table(tmp_path)
    films.drop(columns="visit").to_csv(tmp_path / "films.tsv", sep="\t", index=False)
    found = sources.index(settings, "")
    assert found.groupby(["split", "group"]).size()["train"].to_dict() == {"control": 2226, "patient": 963}
    pairs = pair_scans(found, order="date", needed=True)
    assert pairs.groupby("split").size().to_dict() == {"test": 547, "validation": 206}
    assert pairs.groupby("split")["subject"].nunique().to_dict() == {"test": 354, "validation": 176}


def test_scan_and_folder_follow_bids_and_the_first_session_is_baseline():
    done = table.finish(pd.concat([people(), people().assign(session="02")]), 0.25, 0.25, 0)
    first, second = done[done.subject == "001"].itertuples()
    assert (first.scan, first.folder, first.baseline) == ("sub-001", "sub-001", True)
    assert (second.scan, second.folder, second.baseline) == ("sub-001_ses-02", "sub-001/ses-02", False)


def test_an_own_split_is_honoured_and_a_subject_in_two_splits_refused():
    own = ["train", "train", "validation", "validation", "test", "test", "train", "train"]
    assert table.finish(people(split=own), 0.25, 0.25, 0).split.tolist() == own
    twice = pd.concat([people(split=own), people(split=own[::-1]).assign(session="02")])
    assert "sub-003: in test and validation; keep a subject in one split" in problems(twice)


def test_every_fault_is_said_at_once():
    scans = people()
    scans.loc[0, "age"] = ""
    scans.loc[1, "sex"] = "x"
    scans.loc[2, "group"] = "AD"
    scans.loc[3, "subject"] = "a;rm"
    scans.loc[4, ["subject", "path"]] = "006", "other.nii"
    found = "\n".join(problems(scans))
    for wanted in ("age ''", "sex 'x'", "group 'AD'", "subject 'a;rm'", "sub-006: listed 2 times"):
        assert wanted in found


def test_a_lost_leading_zero_is_named():
    scans = people()
    scans.loc[0, "subject"] = "1"
    assert problems(scans) == ["sub-001_T1w.nii.gz: subject '1' lost a leading zero; write '001' and keep ids as text"]


def test_one_class_only_and_too_few_subjects():
    assert any("no patient among 8" in line for line in problems(people(group="control")))
    assert any("of 1 patient subjects" in line for line in problems(people(2)))


def test_write_if_changed_leaves_an_unchanged_file_alone(tmp_path):
    path = tmp_path / "scans.tsv"
    done = table.finish(people(), 0.25, 0.25, 0)
    table.write_if_changed(done, path)
    before = path.stat().st_mtime_ns
    table.write_if_changed(done, path)
    assert path.stat().st_mtime_ns == before
    assert table.read(path).subject.tolist() == done.subject.tolist()
    table.write_if_changed(done[1:], path)
    assert len(table.read(path)) == 7


def test_own_columns_of_numbers_are_read_as_numbers(tmp_path):
    """Else a covariate of numbers would be one column of the model for each of its values."""
    own = people(education="12", site="a", score=["1.5", *[""] * 7], session="01")
    table.write_if_changed(table.finish(own, 0.25, 0.25, 0), tmp_path / "scans.tsv")
    read = table.read(tmp_path / "scans.tsv")
    assert read.education.tolist() == [12] * 8 and read.site.tolist() == ["a"] * 8
    assert read.score[0] == 1.5 and read.score[1:].isna().all()
    assert read.subject[0] == "001" and read.session[0] == "01" and read.baseline.all()


def cohort(path, source, **changed):
    names = {"group": "group", "age": "age", "sex": "sex"}
    labels = {"control": "control", "patient": "patient"}
    shares = {"validation_share": 0.25, "test_share": 0.25, "folds": 1, "seed": 0}
    shares["plant"] = {"regions": {}}
    shares["bids"] = {"acq": None, "rec": None, "run": "first"}
    return {"source": source, "path": str(path), "columns": names, "labels": labels, **shares, **changed}


def test_table_source_leaves_out_missing_files_and_refuses_paths_that_leave(tmp_path):
    scans, left_out = people(10), []
    for name in scans.path[2:]:
        (tmp_path / name).write_bytes(b"x")
    path = tmp_path / "scans.tsv"
    scans.drop(columns="session").to_csv(path, sep="\t", index=False)
    found = sources.index(cohort(path, "table"), "", leave_out=lambda *why: left_out.append(why))
    assert found.subject.tolist() == [f"{i:03d}" for i in range(3, 11)]
    assert [name for name, _ in left_out] == ["sub-001", "sub-002"]
    assert left_out[1][1] == f"{path}: row 2: no file {tmp_path}/sub-002_T1w.nii.gz"
    scans.loc[0, "path"] = "../sub-001_T1w.nii.gz"
    scans.drop(columns="session").to_csv(path, sep="\t", index=False)
    with pytest.raises(ConfigError, match=r"row 1: '../sub-001_T1w.nii.gz' leaves the folder of the table"):
        sources.index(cohort(path, "table"), "")


def test_table_source_keeps_ids_as_text(tmp_path):
    scans = people()
    for name in scans.path:
        (tmp_path / name).write_bytes(b"x")
    scans.to_csv(tmp_path / "scans.csv", index=False)
    assert sources.index(cohort(tmp_path / "scans.csv", "table"), "").subject.tolist() == scans.subject.tolist()


def test_a_covariate_that_no_column_holds_is_named(tmp_path):
    scans = people()
    for name in scans.path:
        (tmp_path / name).write_bytes(b"x")
    scans.to_csv(tmp_path / "scans.csv", index=False)
    with pytest.raises(ConfigError, match="no column 'site'"):
        sources.index(cohort(tmp_path / "scans.csv", "table"), "", ["age", "site"])


def test_bids_source_reads_mixed_sessions_and_reports_what_does_not_match(tmp_path):
    rows = people()
    for i, row in enumerate(rows.itertuples()):
        for session in ["ses-01/", "ses-02/"] if i < 2 else [""]:
            name = f"sub-{row.subject}_{session.replace('/', '_')}T1w.nii.gz"
            image = tmp_path / f"sub-{row.subject}/{session}anat/{name}"
            image.parent.mkdir(parents=True)
            image.write_bytes(b"x")
    people_table = rows.rename(columns={"subject": "participant_id"})[["participant_id", "group", "age", "sex"]]
    people_table.to_csv(tmp_path / "participants.tsv", sep="\t", index=False)
    found = sources.index(cohort(tmp_path, "bids"), "")
    assert len(found) == 10 and found.scan[1] == "sub-001_ses-02"
    people_table.replace("001", "1").to_csv(tmp_path / "participants.tsv", sep="\t", index=False)
    with pytest.raises(ConfigError, match="lost a leading zero"):
        sources.index(cohort(tmp_path, "bids"), "")


def write_visits(folder, labels=("CN", "AD")):
    """Eight subjects of one or two visits; the diagnosis is that of the visit, and one visit is of neither group."""
    rows = []
    for i in range(8):
        subject = f"{i + 1:03d}"
        visits = ["m00", "m12"] if i < 3 else ["m00"]
        for visit in visits:
            name = f"sub-{subject}_ses-{visit}_T1w.nii.gz"
            image = folder / f"sub-{subject}/ses-{visit}/anat/{name}"
            image.parent.mkdir(parents=True)
            image.write_bytes(b"x")
        diagnosis = [labels[i % 2], "MCI" if i == 0 else labels[i % 2]][: len(visits)]
        table_of_visits = {
            "session_id": [f"ses-{v}" for v in visits],
            "diagnosis": diagnosis,
            "age": [70, 71][: len(visits)],
        }
        pd.DataFrame(table_of_visits).to_csv(
            folder / f"sub-{subject}/sub-{subject}_sessions.tsv", sep="\t", index=False
        )
        rows.append({"participant_id": f"sub-{subject}", "sex": ["Female", "m"][i // 4], "group": "ADNI2"})
    pd.DataFrame(rows).to_csv(folder / "participants.tsv", sep="\t", index=False)


def test_names_and_labels_of_the_data_are_mapped_visit_by_visit(tmp_path, caplog):
    write_visits(tmp_path)
    names = {
        "columns": {"group": "diagnosis", "age": "age", "sex": "sex"},
        "labels": {"CN": "control", "AD": "patient"},
    }
    found = sources.index(cohort(tmp_path, "bids", **names), "")
    # Eleven visits, of which the one of neither group is left out.
    assert len(found) == 10 and "sub-001_ses-m12" not in set(found.scan)
    assert found.group.tolist() == [
        "control",
        "patient",
        "patient",
        "control",
        "control",
        *["patient", "control"] * 2,
        "patient",
    ]
    assert found.sex.tolist() == ["F"] * 6 + ["M"] * 4
    assert found.age.tolist() == [70, 70, 71, 70, 71, 70, 70, 70, 70, 70]
    assert "1 scans left out: their group 'MCI'" in caplog.text


def test_a_column_or_label_that_is_nowhere_is_said_with_the_remedy(tmp_path):
    write_visits(tmp_path)
    with pytest.raises(ConfigError, match=r"no column dx \(it has .*cohort.columns"):
        sources.index(cohort(tmp_path, "bids", columns={"group": "dx", "age": "age", "sex": "sex"}), "")
    with pytest.raises(ConfigError, match="no scan has one of 'control', 'patient'"):
        sources.index(cohort(tmp_path, "bids"), "")


def test_the_demo_has_the_sessions_and_groups_asked_for():
    demo = {"controls": 5, "patients": 6, "two_sessions": 2, "severity": 1.0, "severity_sd": 0.2, "progression": 0.5}
    scans = sources.index(cohort("", "demo") | {"demo": demo}, "bids")
    assert len(scans) == 5 + 6 + 4
    assert scans[scans.baseline].group.value_counts().to_dict() == {"patient": 6, "control": 5}
    assert (scans.severity[scans.group == "control"] == 0).all() and (
        scans.severity[scans.group == "patient"] > 0
    ).all()
    progressed = scans[scans.group == "patient"].groupby("subject").severity.agg(["min", "max", "count"])
    twice = progressed[progressed["count"] == 2]
    assert ((twice["max"] - twice["min"]).round(6) == 0.5).all()


def test_too_few_subjects_for_voxelwise_inference_are_said_before_work():
    done = table.finish(people(16), 0.25, 0.25, 0)
    table.check_averaged(done, "all", ["age", "sex"])
    with pytest.raises(ConfigError, match=r"test has 4 subjects; .* 2 covariates needs 5.*group.split to all"):
        table.check_averaged(done, "test", ["age", "sex"])
