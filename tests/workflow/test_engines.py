"""Engines chosen in the configuration, on one scan: small programs stand in for FSL's and ROBEX's."""

import hashlib
import os
import re

import numpy as np
import pytest
import yaml
from conftest import Workflow
from counterwarp.cohorts.demo import write_head
from counterwarp.imaging.io import read_sidecar, read_volume
from counterwarp.imaging.qc import dice
from counterwarp.imaging.resample import resample
from counterwarp.resources import RESOURCES
from fsl_like import VERSION, write_programs

SCAN = "results/tiny/derivatives/sub-001/ses-01/anat/sub-001_ses-01"
TRUE_MASK = "derivatives/truth/sub-001/ses-01/anat/sub-001_ses-01_desc-brain_mask.nii.gz"
HEAD = RESOURCES["MNI152NLin2009cAsym"]
DEFIGAN = {"recipe": "defigan", "strip": {"engine": "auto", "head": "simulated"}}


@pytest.fixture(scope="module")
def study(finished, tmp_path_factory) -> Workflow:
    """The scans of the tiny cohort as a user's BIDS folder."""
    workflow = Workflow(tmp_path_factory.mktemp("engines"))
    workflow.bids = finished.results / "cohort/bids"
    workflow.programs = write_programs(workflow.folder / "programs")
    return workflow


def preprocessed(study, monkeypatch, target: str, preprocess: dict, *arguments, check=True, fsl=True) -> str:
    """What snakemake prints when it makes one file of the first scan."""
    if fsl:
        monkeypatch.setenv("FSLDIR", str(study.programs))
        monkeypatch.setenv("PATH", str(study.programs / "bin"), prepend=os.pathsep)
    # The jobs take the library from here, and not from where it is installed.
    monkeypatch.setenv("PYTHONPATH", f"{study.programs}{os.pathsep}{study.code / 'workflow_scripts'}")
    path = study.folder / "overlay.yaml"
    path.write_text(yaml.safe_dump({"cohort": {"source": "bids", "path": str(study.bids)}, "preprocess": preprocess}))
    return study.run(*arguments, "--", f"{SCAN}_{target}", configfiles=[path], check=check)


def test_the_recipe_of_defigan_runs_to_the_networks_grid(study, monkeypatch):
    preprocessed(study, monkeypatch, "space-MNI152_res-network_desc-normalised_T1w.nii.gz", DEFIGAN)
    told = read_sidecar(study.folder / f"{SCAN}_space-MNI152_desc-preproc_T1w.json")["Engines"]
    assert {step: engine["Engine"] for step, engine in told.items()} == {
        "conform": "fsl",
        "strip": "robex+bet",
        "register": "flirt",
    }
    programs = [[line.split()[0] for line in engine["CommandLines"]] for engine in told.values()]
    assert programs == [["fslreorient2std", "robustfov"], ["runROBEX.sh", "bet"], ["flirt"]]
    assert all(engine["SoftwareVersions"]["FSL"] == VERSION for engine in told.values())
    image = read_volume(study.folder / f"{SCAN}_space-MNI152_res-network_desc-normalised_T1w.nii.gz").data
    assert image.shape == (16, 16, 16) and np.isfinite(image).all() and image.std() > 0.1


def test_without_fsl_the_recipe_of_defigan_runs_on_the_embedded_engines_and_says_so(study, monkeypatch):
    monkeypatch.delenv("FSLDIR", raising=False)
    target = "space-MNI152_desc-preproc_T1w.json"
    text = preprocessed(study, monkeypatch, target, DEFIGAN, "--forcerun", "strip", "--dry-run", fsl=False)
    assert "preprocess.recipe: defigan runs on the embedded engines: preprocess.conform: fsl needs FSL, but no" in text
    assert "template/head_mask.nii.gz" in re.search(r"rule strip:\n *input: (.*)", text)[1]
    text = preprocessed(study, monkeypatch, "desc-brain_mask.nii.gz", DEFIGAN | {"conform": "fsl"}, check=False)
    assert study.returncode != 0 and "preprocess.conform: 'fsl' would not be read, because preprocess.recipe" in text


def test_a_head_is_fetched_checked_and_finds_the_brain(study, monkeypatch, tmp_path):
    """From a folder in place of the network: the standard head under TemplateFlow's names."""
    monkeypatch.setenv("COUNTERWARP_CACHE", str(tmp_path / "kept"))
    served = tmp_path / "served"
    served.mkdir()
    write_head(*(str(served / file) for file in HEAD.files))
    module = study.code / "workflow_scripts/counterwarp/resources.py"
    text = module.read_text().replace(HEAD.address, served.as_uri())
    for file, digest in HEAD.files.items():
        text = text.replace(digest, hashlib.sha256((served / file).read_bytes()).hexdigest())
    module.write_text(text)
    text = preprocessed(study, monkeypatch, "desc-brain_mask.nii.gz", {"strip": {"head": "MNI152NLin2009cAsym"}})
    assert re.search(r"^fetch +2$", text, re.MULTILINE) and not re.search(r"^templates ", text, re.MULTILINE)
    kept = tmp_path / "kept/MNI152NLin2009cAsym"
    assert sorted(path.name for path in kept.iterdir()) == sorted(HEAD.files)
    told = read_sidecar(study.folder / f"{SCAN}_desc-brain_mask.json")
    assert told["Sources"][1:] == [str(kept / file) for file in HEAD.files] and told["Engine"] == "template"
    assert dice(*masks(study)) > 0.9


def test_masks_of_ones_own_are_inputs_and_a_missing_one_stops_before_any_work(study, monkeypatch, tmp_path):
    strip = {"engine": "mask", "head": "auto", "masks": str(study.bids / "derivatives/truth")}
    text = preprocessed(study, monkeypatch, "desc-brain_mask.nii.gz", {"strip": strip}, "--dry-run")
    line = re.search(r"rule strip:\n *input: (.*)", text)[1]
    assert f"{study.bids}/{TRUE_MASK}" in line and "head_mask" not in line
    (tmp_path / "masks").mkdir()
    strip["masks"] = str(tmp_path / "masks")
    text = preprocessed(study, monkeypatch, "desc-brain_mask.nii.gz", {"strip": strip}, "--dry-run", check=False)
    assert study.returncode != 0 and "Nothing was started" in text and "Traceback" not in text
    assert all(f"sub-00{i}_ses-01: no mask {tmp_path}/masks/sub-00{i}/ses-01/anat/" in text for i in range(1, 9))


def masks(study) -> list[np.ndarray]:
    """The mask that was found, and the true one on its grid."""
    found = read_volume(study.folder / f"{SCAN}_desc-brain_mask.nii.gz")
    true = read_volume(study.bids / TRUE_MASK)
    return [found.data > 0.5, resample(true.data, true.affine, found.shape, found.affine, order=0) > 0.5]
