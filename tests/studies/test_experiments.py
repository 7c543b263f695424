"""The overlays of the real studies: at their full size as a dry run, and for real on a tiny cohort in their layout."""

import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from counterwarp.imaging.parcellation import ORBITOFRONTAL
from nibabel.processing import resample_from_to
from running import Workflow
from sri24_like import write_sri24_like

# At 6 mm one scan's fluid takes up so little that Atropos ends with two tissues, on processors that round in one way.
SMALL = {
    "experiment": "small",
    "threads": 1,
    "seeds": [1],
    "preprocess": {"resolution_mm": 5.0, "network_shape": [16, 16, 16], "network_voxel_mm": 12.0},
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
    if study == "defigan_adni":
        given["preprocess"] = {"strip": {"engine": "auto", "head": "auto"}}
    overlay.write_text(yaml.safe_dump(given | sections))
    files = [workflow.code / f"experiments/{study}.yaml", overlay]
    return workflow.run(*arguments, configfiles=files)


def write_tables(folder, visits):
    """participants.tsv with sex and, where it is given, split; each subject's table of sessions with the rest."""
    people = visits.drop_duplicates("subject").rename(columns={"subject": "participant_id"})
    people.filter(["participant_id", "sex", "split"]).to_csv(folder / "participants.tsv", sep="\t", index=False)
    for subject, rows in visits.groupby("subject"):
        rows.filter(["session_id", "age", "diagnosis", "field_strength"]).to_csv(
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
    assert planned["prepare_scan"] == planned["normalise"] == str(scans)
    assert planned["syn"] == planned["segment"] == str(len(subjects))
    assert planned["train_simulator"] == "2" and planned["train_classifier"] == "2"
    table = pd.read_csv(workflow.folder / f"results/{study}/cohort/scans.tsv", sep="\t", dtype=str)
    assert len(table) == scans and table["group"].isin(["control", "patient"]).all()
    assert (table.groupby("subject")["split"].nunique() == 1).all()


def test_defigan_on_adni_is_planned_with_the_networks_of_the_paper(tmp_path):
    """825 subjects and 3,726 scans; a third of the subjects fall ill after their second scan."""
    visits = [5] * 426 + [4] * 399
    rows = [
        {"subject": f"sub-{i:04d}", "session_id": f"ses-{v}", "age": 70 + v, "sex": "FM"[i % 2], "diagnosis": label}
        for i, n in enumerate(visits)
        for v, label in enumerate((["MCI"] * 2 + ["AD"] * (n - 2), ["MCI"] * n, ["AD"] * n)[i % 3])
    ]
    write_empty(tmp_path / "data", rows)
    workflow = Workflow(tmp_path / "workflow")
    text = run(workflow, "defigan_adni", tmp_path / "data", "--dry-run", "--quiet", "rules")
    planned = dict(re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE))
    pairs = sum(n - 2 for n in visits[::3])
    assert planned["prepare_scan"] == "3726" and planned["observed_change"] == str(pairs)
    assert planned["removal_figure"] == "1"
    # Both methods and five seeds; no simulator.
    assert planned["train_generator"] == "10" and "train_simulator" not in planned
    table = pd.read_csv(workflow.folder / "results/defigan_adni/cohort/scans.tsv", sep="\t", dtype=str)
    assert set(table["split"][table["subject"].duplicated()]) == {"train", "validation", "test"}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Fifteen scans of three controls and six patients, three of each scanned again: their table, with their places."""
    demo = Workflow(tmp_path_factory.mktemp("simulated"))
    few = demo.folder / "few.yaml"
    cohort = {"controls": 3, "patients": 6, "two_sessions": 3, "severity": 0.4, "progression": 1.2}
    few.write_text(yaml.safe_dump({"cohort": {"demo": cohort}}))
    demo.run("--", "cohort", configfiles=[few])
    scans = pd.read_csv(demo.results / "cohort/scans.tsv", sep="\t", dtype=str).drop(columns="split")
    scans["path"] = [demo.folder / path for path in scans["path"]]
    scans["subject"], scans["session_id"] = "sub-" + scans["subject"], "ses-" + scans["session"]
    return scans


def lay_out(folder, scans):
    """The scans, whose groups have been given the study's names in `diagnosis`, as the study's dataset."""
    for scan in scans.itertuples():
        image = image_of(folder, scan.subject, scan.session_id)
        image.parent.mkdir(parents=True)
        image.write_bytes(scan.path.read_bytes())
    write_tables(folder, scans)


def test_the_adni_study_runs_whole_on_a_tiny_cohort_in_its_layout(tmp_path, simulated):
    folder = tmp_path / "data"
    # Three of each group; one of each twice.
    six = [f"sub-{number:03d}" for number in range(1, 7)]
    scans = simulated[
        simulated["subject"].isin(six) & ((simulated["session"] == "01") | simulated["subject"].isin(six[::3]))
    ]
    lay_out(folder, scans.assign(diagnosis=scans["group"].map({"control": "CN", "patient": "AD"})))
    workflow = Workflow(tmp_path / "workflow")
    run(workflow, "liu2021_adni", folder, "--keep-going", **SMALL)

    def table(name):
        return pd.read_csv(workflow.folder / f"results/small/tables/{name}.tsv", sep="\t")

    assert len(table("failures")) == 0 and len(table("qc")) == len(scans) == 8
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


def test_defigan_on_adni_runs_whole_on_a_tiny_cohort_in_its_layout(tmp_path, simulated):
    """Three subjects fall ill between two scans, one of them at another field strength; three have been ill before."""
    folder = tmp_path / "data"
    scans = simulated[simulated["group"] == "patient"].copy()
    twice = scans["subject"].duplicated(keep=False)
    scans["diagnosis"] = np.where(twice & (scans["session"] == "01"), "MCI", "AD")
    splits = dict(zip(sorted(scans["subject"].unique()), ["train", "validation", "test"] * 2, strict=True))
    scans["split"] = scans["subject"].map(splits)
    scans.loc[(scans["split"] == "train") & (scans["session"] == "02"), "field_strength"] = "1.5"
    lay_out(folder, scans)
    workflow = Workflow(tmp_path / "workflow")
    grid = {"network_shape": [32, 40, 28], "network_voxel_mm": 5.2}
    small = {name: SMALL[name] for name in ("experiment", "threads", "seeds", "classifier")}
    few = [{"generator_updates": 2, "critic_updates": 3}]
    networks = {"channels": [2, 4], "critic_channels": [[2], [4]], "stages": {"defigan": few, "vagan": few}}
    # The recipe's embedded engines, but for heads that are drawn.
    embedded = {"recipe": None, "denoise": False, "register": {"engine": "ants", "dof": 7}}
    small |= {"preprocess": {"resolution_mm": 6.0} | embedded | grid, "adversarial": networks | {"report_every": 1}}
    said = run(workflow, "defigan_adni", folder, "--keep-going", **small)
    assert "left out, for want of a pair at one field strength: 1 subjects" in said
    results = workflow.folder / "results/small"

    def table(name):
        return pd.read_csv(results / f"tables/{name}.tsv", sep="\t", dtype={"subject": str})

    assert len(table("failures")) == 0 and len(table("qc")) == len(scans) == 9
    # The paper's Table 1: both methods, test subjects only, and which is ahead.
    pairs, scores, order = table("longitudinal_pairs"), table("longitudinal"), table("longitudinal_order")
    assert set(pairs["split"]) == {"validation", "test"} and len(pairs) == 4
    assert scores["method"].to_list() == ["defigan", "vagan"] and (scores["subjects"] == 1).all()
    assert scores["mean"].between(-1, 1).all()
    assert order[["first", "second"]].to_numpy().tolist() == [["defigan", "vagan"]]
    for name in ("removal", "training", "longitudinal"):
        assert (results / f"figures/{name}.png").stat().st_size > 10_000
    assert not set(table("methods")["metric"]) & {"ncc", "ncc_abs", "sign_correct"}
    assert_fluid_has_taken_the_place_of_tissue(results, pairs["later"].unique())


def assert_fluid_has_taken_the_place_of_tissue(results, later):
    """Earlier minus later is greater in the ventricles, which have grown by three quarters, than in other regions:
    by more than 0.1 of intensities from -1 to 1, beyond what the percentiles of the two scans shift everywhere."""
    regions = pd.read_csv(results / "cohort/template/parcellation.tsv", sep="\t")
    ventricles = regions["index"][regions["name"].str.startswith("lateral_ventricle")]
    labels = nib.load(results / "cohort/template/parcellation.nii.gz")
    for scan in later:
        (path,) = (results / "derivatives").rglob(f"{scan}_*desc-observed_change.nii.gz")
        change = nib.load(path)
        region = resample_from_to(labels, change, order=0).get_fdata()
        values, inside = change.get_fdata(), np.isin(region, ventricles)
        assert values[inside].mean() - values[(region > 0) & ~inside].mean() > 0.1
