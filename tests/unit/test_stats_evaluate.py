"""The comparison of methods from the files of a run, with and without a truth."""

from dataclasses import replace

import nibabel
import numpy as np
import pandas as pd
import pytest
from counterwarp.stats.evaluate import Explained, Truth, evaluate

SHAPE = (6, 6, 6)


@pytest.fixture
def run(tmp_path):
    """Four scans of three subjects; a simulator whose maps are the truth, a saliency whose maps are its negative."""
    rng = np.random.default_rng(0)
    index = pd.DataFrame(
        {
            "row": range(4),
            "scan": ["sub-1", "sub-2_ses-1", "sub-2_ses-2", "sub-3"],
            "group": ["control", "patient", "patient", "control"],
            "split": ["test", "test", "test", "train"],
            "baseline": [True, True, False, True],
        }
    )
    true_maps = rng.normal(size=(4, *SHAPE)).astype(np.float32)
    parcellation = np.zeros(SHAPE, dtype=np.int16)
    parcellation[:3], parcellation[3:] = 1, 2
    group_truth = np.where(parcellation == 1, 0.5, -0.3).astype(np.float32)

    def save(name, data):
        path = str(tmp_path / name)
        if name.endswith("npy"):
            np.save(path, data)
        elif name.endswith("tsv"):
            data.to_csv(path, sep="\t", index=False)
        else:
            nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), path)
        return path

    regions = pd.DataFrame(
        {"index": [1, 2], "name": ["ventricle", "hippocampus"], "tissue": ["CSF", "GM"], "affected": [1, -1]}
    )
    truth = Truth(
        save("truth.npy", true_maps),
        save("group_truth.nii", group_truth),
        save("mask.nii", np.ones(SHAPE, dtype=np.uint8)),
        save("labels.nii", parcellation),
        save("labels.tsv", regions),
    )
    logits = pd.DataFrame(
        {
            "row": range(4),
            "scan": index["scan"],
            "raw": [-2.0, 3, 3, -1],
            "simulated": [1.0, -1, 0, 1],
            "cycled": [-2.0, 3, 3, -1],
        }
    )
    quality = pd.DataFrame(
        {"row": range(4), "scan": index["scan"], "folding_share": [0.0, 0.002, 1, 1], "cycle_rmse": [0.1, 0.3, 9, 9]}
    )
    explained = [
        Explained(
            "cycle",
            1,
            save("cycle.npy", true_maps),
            save("cycle.tsv", logits),
            save("cycle.nii", group_truth),
            save("quality.tsv", quality),
        ),
        Explained(
            "backprop",
            1,
            save("backprop.npy", -true_maps),
            save("backprop.tsv", logits.iloc[:0]),
            save("backprop.nii", -group_truth),
            None,
        ),
    ]
    return explained, index, np.ones(SHAPE, dtype=bool), truth


def measured(evaluation):
    return evaluation.methods.query("seed == '1'").set_index(["method", "level", "metric"])["mean"]


def test_only_the_first_scans_of_test_subjects_count(run):
    evaluation = evaluate(*run)
    assert set(evaluation.subjects["scan"]) == {"sub-1", "sub-2_ses-1"}
    values = measured(evaluation)
    assert values["cycle", "subject", "ncc"] == pytest.approx(1)
    assert values["backprop", "subject", "ncc"] == pytest.approx(-1)
    assert values["backprop", "subject", "ncc_abs"] == pytest.approx(1)
    assert values["cycle", "subject", "logit_shift"] == pytest.approx((3 + 4) / 2)
    assert values["cycle", "subject", "folding_percent"] == pytest.approx(0.1)
    assert values["cycle", "subject", "cycle_rmse"] == pytest.approx(0.2)


def test_the_order_of_the_logits_is_judged_by_group_at_first_scans(run):
    explained, index, mask, truth = run
    index = index.assign(group="patient", split="test", baseline=True)
    values = measured(evaluate(explained, index, mask, truth))
    # Raw -2, 3, 3, -1 have ranks 1, 3.5, 3.5, 2; simulated 1, -1, 0, 1 have 3.5, 1, 2, 3.5: differences from the mean
    # -1.5, 1, 1, -0.5 and 1, -1.5, -0.5, 1, so rho = -4 / 4.5.
    assert values["cycle", "group", "rank_correlation_patient"] == pytest.approx(-4 / 4.5)


def test_group_maps_are_judged_on_the_template(run):
    evaluation = evaluate(*run)
    values = measured(evaluation)
    assert values["cycle", "group", "ncc"] == pytest.approx(1)
    assert values["cycle", "group", "sign_correct"] == 1
    assert values["backprop", "group", "sign_correct"] == 0
    changes = evaluation.changes.set_index(["method", "region"])
    assert changes.loc[("cycle", "ventricle"), "change_percent"] == pytest.approx(100 * np.expm1(0.5))
    # A gradient has no per cent.
    assert np.isnan(changes.loc[("backprop", "ventricle"), "change_percent"])


def test_the_logits_of_all_scans_are_kept(run):
    logits = evaluate(*run).logits
    assert list(logits) == ["scan", "seed", "method", "raw", "simulated", "cycled"]
    assert len(logits) == 4


def test_without_a_truth_what_needs_none_is_measured(run):
    explained, index, mask, _ = run
    evaluation = evaluate(explained, index, mask, None)
    values = measured(evaluation)
    assert values["cycle", "subject", "logit_shift"] == pytest.approx(3.5)
    assert "ncc" not in evaluation.subjects and len(evaluation.changes) == 0
    assert "sign_correct" in evaluation.changes


def test_with_several_seeds_their_mean_maps_are_compared_too(run, tmp_path):
    explained, index, mask, truth = run
    cycle = explained[0]
    noise = np.random.default_rng(1).normal(size=(4, *SHAPE)).astype(np.float32)
    true_maps, group_truth = np.load(cycle.maps), np.asarray(nibabel.load(cycle.group_map).dataobj)
    seeds = []
    for seed, sign in ((1, 1), (2, -1)):
        maps, group_map = str(tmp_path / f"maps{seed}.npy"), str(tmp_path / f"group{seed}.nii")
        np.save(maps, true_maps + sign * noise)
        nibabel.save(nibabel.Nifti1Image(group_truth + np.float32(sign * 2), np.eye(4)), group_map)
        seeds.append(replace(cycle, seed=seed, maps=maps, group_map=group_map))
    evaluation = evaluate([*seeds, explained[1]], index, mask, truth)
    table = evaluation.methods.set_index(["method", "seed", "level", "metric"])["mean"]
    # The noise of the two seeds is opposite: it cancels in the mean, as do the offsets of the group maps.
    assert table["cycle", "1", "subject", "ncc"] < 0.9
    assert table["cycle", "mean", "subject", "ncc"] == pytest.approx(1)
    assert table["cycle", "1", "group", "sign_correct"] == 0.5
    assert table["cycle", "mean", "group", "sign_correct"] == 1
    # The mean map is no seed of its own, and a method of one seed has none.
    assert table["cycle", "all", "group", "sign_correct"] == 0.5
    assert evaluation.methods.query("seed == 'all' and metric == 'ncc' and method == 'cycle'")["n"].eq(2).all()
    assert ("backprop", "mean", "subject", "ncc") not in table
    assert set(evaluation.changes["seed"].astype(str)) == {"1", "2", "mean"}


def test_of_regions_not_known_to_be_affected_no_sign_is_judged_and_none_counts_twice(run):
    explained, index, mask, truth = run
    regions = pd.DataFrame({"index": ["1", "2", "1 2"], "name": ["left", "right", "both"], "tissue": "GM"})
    regions.to_csv(truth.regions, sep="\t", index=False)
    evaluation = evaluate(explained, index, mask, truth)
    assert set(evaluation.changes["region"]) == {"left", "right"}
    assert evaluation.changes["affected"].isna().all()
    values = measured(evaluation)
    assert ("cycle", "group", "sign_correct") not in values
    assert values["cycle", "group", "region_slope"] == pytest.approx(1)
