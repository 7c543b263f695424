"""Folds: every subject is test once, and everything that follows is of networks that never saw it."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.cohorts import table
from counterwarp.cohorts.folds import draw_folds, folds_of, split_column
from counterwarp.errors import SplitError
from counterwarp.explain.folds import join_arrays, join_tables, order_of
from counterwarp.training.pack import read_pack


def people(controls=10, patients=11, again=4):
    rows = []
    for number in range(controls + patients):
        group = "control" if number < controls else "patient"
        visits = 2 if number % (controls + 1) < again // 2 else 1
        for visit in range(visits):
            rows.append(
                {
                    "subject": f"{number:02d}",
                    "session": str(visit),
                    "path": f"sub-{number:02d}_{visit}.nii.gz",
                    "group": group,
                    "age": 60 + number + visit,
                    "sex": "FM"[number % 2],
                }
            )
    return pd.DataFrame(rows)


def in_folds(folds=5, scans=None, share=0.2):
    return table.finish(people() if scans is None else scans, share, 0.3, seed=3, folds=folds)


def test_everybody_is_test_in_one_fold_and_groups_are_spread_evenly():
    scans = in_folds()
    assert folds_of(scans) == [1, 2, 3, 4, 5]
    assert set(scans["split"]) == {"test"}
    tested = np.stack([scans[split_column(fold)] == "test" for fold in folds_of(scans)])
    assert (tested.sum(0) == 1).all()
    for group, least, most in (("control", 2, 2), ("patient", 2, 3)):
        members = scans[scans["baseline"] & (scans["group"] == group)]
        sizes = [(members[split_column(fold)] == "test").sum() for fold in folds_of(scans)]
        assert (min(sizes), max(sizes)) == (least, most)


def test_scans_of_a_subject_stay_together_and_validation_has_its_share():
    scans = in_folds()
    for fold in folds_of(scans):
        assert (scans.groupby("subject")[split_column(fold)].nunique() == 1).all()
        first = scans[scans["baseline"]]
        held_out = first[first[split_column(fold)] == "validation"].groupby("group").size()
        assert held_out.to_dict() == {"control": 2, "patient": 2}


def test_subjects_scanned_again_are_spread_over_the_folds():
    scans = in_folds(folds=4)
    again = scans[~scans["baseline"]]
    tested = [(again[split_column(fold)] == "test").sum() for fold in folds_of(scans)]
    assert len(again) == 4
    assert max(tested) == 1


def test_the_seed_alone_decides():
    scans = people()
    scans["baseline"] = table.is_first(scans)
    first, same, other = (draw_folds(scans, 3, 0.2, seed) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_more_folds_than_subjects_are_refused_with_the_fold():
    with pytest.raises(SplitError, match=r"test of fold 12: 0 of 10 control subjects; .* or cohort.folds"):
        in_folds(folds=12)


def test_a_split_of_ones_own_wins(caplog):
    scans = people()
    own = {subject: table.SPLITS[int(subject) % 3] for subject in scans["subject"]}
    kept = in_folds(scans=scans.assign(split=scans["subject"].map(own)))
    assert folds_of(kept) == []
    assert "cohort.folds: 5 is not followed" in caplog.text


def test_a_pack_is_read_with_the_split_of_a_fold(tmp_path):
    index = in_folds(folds=3).rename_axis("row")
    np.save(tmp_path / "images.npy", np.zeros((len(index), 2, 2, 2), np.float16))
    index.to_csv(tmp_path / "index.tsv", sep="\t")
    seen = [read_pack(tmp_path / "images.npy", tmp_path / "index.tsv", fold=fold).explained(fold) for fold in (1, 2, 3)]
    assert sorted(np.concatenate(seen)) == list(range(len(index)))
    for fold, rows in enumerate(seen, 1):
        assert (index[split_column(fold)].iloc[rows] == "test").all()


def test_what_folds_say_comes_together_in_the_order_of_the_pack(tmp_path):
    index = pd.DataFrame({"split_fold1": ["test", "train", "train", "test"], "split_fold2": ["train", "test"] * 2})
    index.loc[3, "split_fold2"] = "train"
    index.loc[2, "split_fold2"] = "test"
    order = order_of(index)
    assert order.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    for fold, rows in ((1, [0, 3]), (2, [1, 2])):
        np.save(tmp_path / f"{fold}.npy", np.array([[row, 10 * row] for row in rows], np.float16))
        pd.DataFrame({"row": rows, "raw": [100 + row for row in rows]}).to_csv(tmp_path / f"{fold}.tsv", sep="\t")
    join_arrays([tmp_path / "1.npy", tmp_path / "2.npy"], order, tmp_path / "all.npy")
    joined = np.load(tmp_path / "all.npy")
    assert joined.dtype == np.float16
    assert joined.tolist() == [[0, 0], [1, 10], [2, 20], [3, 30]]
    join_tables([tmp_path / "1.tsv", tmp_path / "2.tsv"], order, tmp_path / "all.tsv")
    assert pd.read_csv(tmp_path / "all.tsv", sep="\t")["raw"].tolist() == [100, 101, 102, 103]
