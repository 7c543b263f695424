"""A known disease in scans that a user brings: planned whole, and made for a few of them."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from counterwarp.workflow import read_failure
from running import Workflow


@pytest.fixture(scope="module")
def study(tmp_path_factory, finished):
    """The heads of the tiny cohort as a table of people, its last image broken off; and the overlay that plants."""
    workflow = Workflow(tmp_path_factory.mktemp("planted"))
    people = pd.read_csv(finished.results / "cohort/bids/participants.tsv", sep="\t", dtype=str)
    names = people["participant_id"].str.removeprefix("sub-")
    for name in names:
        image = finished.results / f"cohort/bids/sub-{name}/ses-01/anat/sub-{name}_ses-01_T1w.nii.gz"
        whole = image.read_bytes()
        (workflow.folder / f"{name}.nii.gz").write_bytes(whole[: len(whole) // 2] if name == names.iloc[-1] else whole)
    table = pd.DataFrame({"subject": names, "path": names + ".nii.gz", "age": people["age"], "sex": people["sex"]})
    table.assign(group="healthy").to_csv(workflow.folder / "people.tsv", sep="\t", index=False)
    cohort = {
        "source": "table",
        "path": "people.tsv",
        "labels": {"healthy": "control", "ill": "patient"},
        "plant": {"regions": {"lateral_ventricle": 0.5, "hippocampus": -0.3}},
    }
    overlay = workflow.folder / "planted.yaml"
    overlay.write_text(yaml.safe_dump({"cohort": cohort}))
    return workflow, overlay


def test_everything_that_is_judged_against_truth_is_planned(study):
    workflow, overlay = study
    text = workflow.run("--dry-run", configfiles=[overlay])
    jobs = dict(line.split() for line in text.splitlines() if len(line.split()) == 2 and line.split()[1].isdigit())
    assert jobs["locate_scan"] == jobs["plant_scan"] == jobs["prepare_scan"] == "8"
    assert {"pack_truth", "group_truth", "methods_table", "roi_glm"} <= set(jobs) and "simulate_scan" not in jobs
    scans = pd.read_csv(workflow.results / "cohort/scans.tsv", sep="\t", dtype={"subject": str})
    assert (scans["group"] == "patient").sum() == 4 and ((scans["severity"] > 0) == (scans["group"] == "patient")).all()


def test_scans_are_planted_with_their_truth_and_a_broken_one_fails_alone(study):
    workflow, overlay = study
    workflow.run("--dry-run", configfiles=[overlay])
    scans = pd.read_csv(workflow.results / "cohort/scans.tsv", sep="\t", dtype={"subject": str})
    whole = scans.iloc[:-1]
    chosen = [whole[whole["group"] == group].iloc[0] for group in ("control", "patient")]
    planted = "results/tiny/cohort/planted"
    targets = [
        f"{planted}/sub-{s}/anat/sub-{s}_T1w.nii.gz" for s in [*(c.subject for c in chosen), scans.subject.iloc[-1]]
    ]
    workflow.run("--keep-going", "--", *targets, configfiles=[overlay])
    for scan, target in zip(chosen, targets, strict=False):
        truth = workflow.folder / f"{planted}/derivatives/truth/sub-{scan.subject}/anat/sub-{scan.subject}"
        facts = json.loads(truth.with_name(f"{truth.name}_truth.json").read_text())
        assert facts == {"severity": scan.severity, "counterfactual": scan.group == "control"}
        change = nib.load(truth.with_name(f"{truth.name}_desc-disease_logjacobian.nii.gz"))
        image = nib.load(workflow.folder / target)
        assert change.shape == image.shape and np.allclose(change.affine, image.affine)
        # Of a patient and of a control: growing ventricles, shrinking hippocampi.
        values = change.get_fdata()
        assert values.max() > 0.1 and values.min() < -0.05 and np.isfinite(values).all()
    assert read_failure(workflow.folder / targets[-1])["rule"] == "locate_scan"
    table = pd.read_csv(workflow.results / "cohort/template/parcellation.tsv", sep="\t").set_index("name")["affected"]
    assert table["lateral_ventricle_L"] == 1 and table["hippocampus_R"] == -1 and table["thalamus_L"] == 0


def test_an_unknown_region_stops_before_any_work(study):
    workflow, overlay = study
    other = workflow.folder / "unknown.yaml"
    other.write_text(yaml.safe_dump({"cohort": {"plant": {"regions": {"hipocampus": -0.3}}}}))
    text = workflow.run("--dry-run", configfiles=[overlay, other], check=False)
    assert workflow.returncode and "no region 'hipocampus'" in text and "hippocampus" in text
