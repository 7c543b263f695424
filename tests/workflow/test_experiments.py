"""The overlays of the real studies: at their full size as a dry run, and for real on a tiny cohort in their layout."""

import re

import pandas as pd
import pytest
import yaml
from conftest import Workflow
from counterwarp.imaging.sri24 import ORBITOFRONTAL
from sri24_like import write_sri24_like

SMALL = {
    "experiment": "small",
    "threads": 1,
    "seeds": [1],
    "preprocess": {"resolution_mm": 6.0, "network_shape": [16, 16, 16], "network_voxel_mm": 12.0},
    "classifier": {"channels": [2, 4], "hidden": 4, "epochs": 2},
    "simulator": {"channels": [2, 4, 4], "fully_connected": 4, "steps": 3},
    "explain": {"occlusion": {"window": 8, "stride": 8}},
    "sanity": {"methods": ["backprop"]},
}
# Liu et al. 2021: subjects and scans of the first study, a tenth of the second's, and what the groups are called.
STUDIES = {
    "liu2021_adni": ({"CN": 229, "AD": 185}, 1344),
    "liu2021_alcohol": ({"control": 27, "alcohol_dependent": 33}, 122),
}


def run(workflow, study, folder, *arguments, **sections):
    overlay = workflow.folder / "small.yaml"
    atlas = write_sri24_like(workflow.folder / "sri24")
    given = {"cohort": {"path": str(folder)}, "resources": {"sri24": str(atlas)}}
    overlay.write_text(yaml.safe_dump(given | sections))
    files = [workflow.code / f"experiments/{study}.yaml", overlay]
    return workflow.run(*arguments, configfiles=files)


def write_tables(folder, visits):
    """participants.tsv with sex, and each subject's table of sessions with age and diagnosis."""
    people = visits.drop_duplicates("subject")[["subject", "sex"]].rename(columns={"subject": "participant_id"})
    people.to_csv(folder / "participants.tsv", sep="\t", index=False)
    for subject, rows in visits.groupby("subject"):
        rows[["session_id", "age", "diagnosis"]].to_csv(
            folder / f"{subject}/{subject}_sessions.tsv", sep="\t", index=False
        )


def image_of(folder, subject, session):
    return folder / f"{subject}/{session}/anat/{subject}_{session}_T1w.nii.gz"


def write_empty(folder, rows):
    """A dataset of empty images, one a row, with its tables."""
    for row in rows:
        image = image_of(folder, row["subject"], row["session_id"])
        image.parent.mkdir(parents=True)
        image.touch()
    write_tables(folder, pd.DataFrame(rows))


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_of_empty_files_of_its_size_is_planned(tmp_path, study):
    groups, scans = STUDIES[study]
    subjects = [label for label, n in groups.items() for _ in range(n)]
    # From one to eight visits each, as many scans in all as the study has.
    visits_of = [1 + i % 8 for i in range(len(subjects))]
    while sum(visits_of) != scans:
        step = 1 if sum(visits_of) < scans else -1
        place = next(i for i, n in enumerate(visits_of) if 1 <= n + step <= 8)
        visits_of[place] += step
    rows = [
        {"subject": f"sub-{i:04d}", "session_id": f"ses-{v:02d}", "age": 70 + v, "sex": "FM"[i % 2], "diagnosis": label}
        for i, label in enumerate(subjects)
        for v in range(visits_of[i])
    ]
    write_empty(tmp_path / "data", rows)
    workflow = Workflow(tmp_path / "workflow")
    sections = {"seeds": [1], "group": {"split": "test"}, "sanity": {"methods": ["backprop"]}}
    text = run(workflow, study, tmp_path / "data", "--dry-run", "--quiet", "rules", **sections)
    planned = dict(re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE))
    assert planned["conform"] == planned["normalise"] == str(scans)
    assert planned["syn"] == planned["segment"] == str(len(subjects))
    assert planned["train_simulator"] == "2" and planned["train_classifier"] == "2"
    table = pd.read_csv(workflow.folder / f"results/{study}/cohort/scans.tsv", sep="\t", dtype=str)
    assert len(table) == scans and table["group"].isin(["control", "patient"]).all()
    assert (table.groupby("subject")["split"].nunique() == 1).all()


def test_defigan_on_adni_is_planned_with_the_networks_of_the_paper(tmp_path):
    rows = [
        {"subject": f"sub-{i:04d}", "session_id": f"ses-{v}", "age": 70 + v, "sex": "FM"[i % 2], "diagnosis": label}
        for i in range(24)
        for v, label in enumerate(["MCI", "AD"] if i < 8 else ["MCI"] if i < 16 else ["AD"])
    ]
    write_empty(tmp_path / "data", rows)
    workflow = Workflow(tmp_path / "workflow")
    text = run(workflow, "defigan_adni", tmp_path / "data", "--dry-run", "--quiet", "rules")
    planned = dict(re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE))
    assert planned["conform"] == "32" and planned["observed_change"] == "8" and planned["removal_figure"] == "1"
    # Both methods and five seeds; no simulator.
    assert planned["train_generator"] == "10" and "train_simulator" not in planned
    table = pd.read_csv(workflow.folder / "results/defigan_adni/cohort/scans.tsv", sep="\t", dtype=str)
    assert set(table["split"][table["subject"].duplicated()]) == {"train", "validation", "test"}


def test_the_adni_study_runs_whole_on_a_tiny_cohort_in_its_layout(tmp_path):
    simulated = Workflow(tmp_path / "simulated")
    few = simulated.folder / "few.yaml"
    few.write_text(yaml.safe_dump({"cohort": {"demo": {"controls": 3, "patients": 3}}}))
    simulated.run("--", "cohort", configfiles=[few])
    source, folder = simulated.results / "cohort/bids", tmp_path / "data"
    scans = pd.read_csv(simulated.results / "cohort/scans.tsv", sep="\t", dtype=str)
    rows = []
    for scan in scans.itertuples():
        subject, session = f"sub-{scan.subject}", f"ses-{scan.session}"
        image = image_of(folder, subject, session)
        image.parent.mkdir(parents=True)
        image.write_bytes(image_of(source, subject, session).read_bytes())
        label = {"control": "CN", "patient": "AD"}[scan.group]
        rows.append({"subject": subject, "session_id": session, "age": scan.age, "sex": scan.sex, "diagnosis": label})
    write_tables(folder, pd.DataFrame(rows))
    workflow = Workflow(tmp_path / "workflow")
    run(workflow, "liu2021_adni", folder, "--keep-going", **SMALL)

    def table(name):
        return pd.read_csv(workflow.folder / f"results/small/tables/{name}.tsv", sep="\t")

    assert len(table("failures")) == 0 and len(table("qc")) == len(rows) == 8
    methods = table("methods")
    assert set(methods["metric"]) >= {"logit_shift", "folding_percent"}
    # Nothing is known of the truth: nothing claims to be.
    assert not set(methods["metric"]) & {"ncc", "ncc_abs", "sign_correct"}
    regions = table("regions")
    assert regions["affected"].isna().all() and not regions["q"].isna().any()
    assert {"Rectus", "Rectus_L", "Rectus_R"} <= set(regions["region"])
    volumes = pd.read_csv(workflow.folder / "results/small/roi/volumes.tsv", sep="\t")
    volumes = volumes.pivot(index="scan", columns="region", values="volume_ml")
    for name in ORBITOFRONTAL:
        sides = volumes[f"{name}_L"] + volumes[f"{name}_R"]
        assert (volumes[name] > 1).all() and volumes[name].to_numpy() == pytest.approx(sides.to_numpy(), abs=2e-4)
    derivatives = workflow.folder / "results/small/derivatives"
    assert any("space-SRI24" in path.name for path in derivatives.rglob("*_T1w.nii.gz"))
    assert not [path for path in derivatives.rglob("*") if "MNI152" in path.name]
    assert set(table("voxelwise")["analysis"]) == {"cycle", "cycle_bce", "tbm"}
    assert "ncc" not in table("voxelwise")
