"""The whole workflow on a tiny cohort, run for real."""

import json
import platform
import re
import shutil

import pandas as pd
from conftest import STAGES


def table(workflow, name):
    return pd.read_csv(workflow.results / "tables" / f"{name}.tsv", sep="\t", dtype=str, keep_default_na=False)


def test_every_table_is_there_and_nothing_failed(finished):
    assert len(table(finished, "failures")) == 0
    assert len(table(finished, "qc")) == 10
    assert set(table(finished, "methods").method) >= {"cycle", "backprop"}
    assert len(table(finished, "regions")) >= 10
    assert set(table(finished, "classifier").split) >= {"test"}
    assert set(table(finished, "logits").scan) <= set(table(finished, "qc").scan)


def test_every_job_says_where_it_ran(finished):
    jobs = table(finished, "jobs").set_index("job")
    assert jobs.index.is_unique and len(jobs) == table(finished, "cost").jobs.astype(int).sum()
    assert (jobs["place"] == platform.node()).all() and (jobs["start"].str.len() == len("2026-01-01 09:00:00")).all()
    assert jobs.loc["sub-001_ses-01_strip", "rule"] == "strip" and jobs.loc["sub-001_ses-01_strip", "device"] == ""
    assert jobs.loc["train_classifier_seed-1", "device"] != ""
    assert "sub-001_ses-01_strip" in (finished.results / "report/jobs.html").read_text()


def test_a_generator_is_asked_of_patients_only_and_each_pair_of_scans_is_scored(finished):
    methods = table(finished, "methods").query("seed == '1' and metric == 'ncc'").set_index(["method", "level"])
    for level in ("subject", "group"):
        assert 0 < int(methods.loc[("defigan", level), "n"]) < int(methods.loc[("cycle", level), "n"])
    # A change of intensity is none of volume: it has no slope on changes of volume.
    slopes = table(finished, "methods").query("metric == 'region_slope'")
    assert set(slopes["method"]) == {"cycle", "defigan"}
    pairs = table(finished, "longitudinal_pairs")
    assert set(pairs["later"]) == {"sub-005_ses-02"} and set(pairs["earlier"]) == {"sub-005_ses-01"}
    assert len(pairs) == 2 * len(set(pairs["method"])) and (pairs["ncc"] != "").any()
    # The true change between the two scans is known of simulated heads; what was observed has some of it.
    assert (pairs["ncc_true"] != "").any() and pairs["ncc_limit"].nunique() == 1
    assert 0.05 < float(pairs["ncc_limit"].iloc[0]) < 1


def test_a_scan_leaves_bids_derivatives_with_side_cars(finished):
    folder = finished.results / "derivatives/sub-001/ses-01/anat"
    images = sorted(path.name.removeprefix("sub-001_ses-01_") for path in folder.glob("*.nii.gz"))
    for wanted in (
        "space-MNI152_desc-preproc_T1w.nii.gz",
        "desc-brain_mask.nii.gz",
        "space-MNI152_res-network_desc-cycle_T1w.nii.gz",
        "space-MNI152_res-network_desc-cycle_displacement.nii.gz",
        "space-MNI152_res-network_desc-cycle_logjacobian.nii.gz",
    ):
        assert wanted in images
        side_car = json.loads((folder / f"sub-001_ses-01_{wanted.removesuffix('.nii.gz')}.json").read_text())
        assert side_car["Sources"] and side_car["SoftwareVersions"]
    for end in ("xfm.mat", "desc-world_xfm.txt", "desc-flirt_xfm.mat"):
        assert (folder / f"sub-001_ses-01_from-T1w_to-MNI152_mode-image_{end}").is_file()
    description = finished.results / "derivatives/dataset_description.json"
    assert json.loads(description.read_text())["DatasetType"] == "derivative"


def test_rerunning_does_nothing(finished):
    assert "Nothing to be done" in finished.run()


def test_every_stage_is_a_target(finished):
    assert finished.rules_to_run(*STAGES, "all") == set()


def test_nothing_unfinished_is_left(finished):
    assert [path for path in finished.results.rglob("*unfinished*")] == []
    # Torch makes one empty folder for each user, and not for each job.
    assert {path.name.partition("_")[0] for path in finished.temporary.iterdir()} <= {"torchinductor"}


def test_the_report_is_one_file_without_network(finished, tmp_path):
    report = tmp_path / "report.html"
    finished.run("--report", report)
    text = report.read_text()
    for category in ("1 Failures", "4 Classifier", "6 Group map", "7 Regions", "9 About"):
        assert category in text
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?:', text)


def test_a_changed_module_reruns_exactly_the_stages_that_use_it(finished):
    rules = finished.rules_after_change("stats/glm.py")
    assert "roi_glm" in rules
    assert not rules & {"prepare_scan", "strip", "pack", "train_classifier", "train_simulator", "segment", "group_map"}

    rules = finished.rules_after_change("training/cycle.py")
    assert {"train_simulator", "explain_simulator", "group_map"} <= rules
    assert not rules & {"prepare_scan", "strip", "pack", "train_classifier", "explain_saliency", "segment", "roi_glm"}
    assert finished.rules_to_run() == set()


def test_another_engine_is_a_reason_for_its_own_step_only(finished, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("preprocess: {register: {dof: 7}}")
    text = finished.run("--dry-run", configfiles=[overlay])
    reasons = re.findall(r"^\s*(?:local)?rule (\w+):$.*?^\s*reason: (.*?)$", text, re.MULTILINE | re.DOTALL)
    assert {rule for rule, reason in reasons if "Params have changed" in reason} == {"register"}
    assert {"normalise", "pack", "train_classifier"} <= {rule for rule, _ in reasons}


def test_one_scan_of_another_content_reruns_that_scan_and_what_follows(finished):
    scan = finished.results / "cohort/bids/sub-002/ses-01/anat/sub-002_ses-01_T1w.nii.gz"
    kept = scan.with_suffix(".kept")
    shutil.copy2(scan, kept)
    try:
        scan.write_bytes((finished.results / "cohort/bids/sub-003/ses-01/anat/sub-003_ses-01_T1w.nii.gz").read_bytes())
        text = finished.run("--dry-run", "--rerun-triggers", "mtime", "params", "input", "code")
    finally:
        shutil.move(kept, scan)
    again = set(re.findall(r"scan=(sub-[\w-]+)", text))
    assert again == {"sub-002_ses-01"}
