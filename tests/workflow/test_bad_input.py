"""Bad input: tables and configuration stop everything with all problems; a bad scan fails alone."""

import gzip
import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import Workflow


@pytest.fixture
def workflow(tmp_path):
    return Workflow(tmp_path)


def overlay(workflow, **sections):
    path = workflow.folder / "overlay.yaml"
    path.write_text(yaml.safe_dump(sections))
    return [path]


def test_bad_configuration_stops_before_any_work_and_lists_everything(workflow):
    files = overlay(workflow, cohort={"sed": 2, "test_share": 3}, simulator={"stepz": 9}, device="tpu")
    text = workflow.run(configfiles=files, check=False)
    assert workflow.returncode != 0
    for wanted in ("'sed'; did you mean 'seed'", "cohort.test_share", "'stepz'", "'tpu'"):
        assert wanted in text
    assert "Traceback" not in text and not workflow.results.exists()


def test_one_class_and_too_few_subjects_stop_before_any_work(workflow):
    text = workflow.run(configfiles=overlay(workflow, cohort={"demo": {"patients": 0, "controls": 2}}), check=False)
    assert workflow.returncode != 0 and "no patient among 2 subjects" in text
    assert "subjects; add subjects or change" in text and "Traceback" not in text


def head(value=1.0, shape=(33, 40, 36)):
    x = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    return (1000 * value * (np.linalg.norm(x, axis=0) < 0.8)).astype(np.float32)


def save(path, data):
    affine = np.diag([6.0, 6.0, 6.0, 1.0])
    affine[:3, 3] = -100
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, affine), path)


def test_bad_scans_fail_alone_and_the_table_names_them(workflow, finished):
    """A BIDS copy of the tiny cohort with five spoilt scans: the chain goes on to the end of preprocessing."""
    source = finished.results / "cohort/bids"
    folder = workflow.folder / "dataset"
    people = pd.read_csv(source / "participants.tsv", sep="\t", dtype=str)
    people.to_csv(folder_of(folder) / "participants.tsv", sep="\t", index=False)
    for i, subject in enumerate(people.participant_id):
        image = folder / f"{subject}/anat/{subject}_T1w.nii.gz"
        image.parent.mkdir(parents=True)
        original = (source / f"{subject}/ses-01/anat/{subject}_ses-01_T1w.nii.gz").read_bytes()
        if i == 0:
            image.write_bytes(original[: len(original) // 2])
        elif i == 1:
            save(image, np.where(head() > 0, np.nan, 0).astype(np.float32))
        elif i == 4:
            save(image, head(0.0))
        elif i == 5:
            save(image, np.stack([head(), head()], -1))
        elif i == 6:
            save(image, head()[..., 18])
        else:
            image.write_bytes(original)
    files = overlay(workflow, cohort={"source": "bids", "path": str(folder)})
    targets = ["results/tiny/pack/index.tsv", "results/tiny/tables/failures.tsv"]
    text = workflow.run("--keep-going", *targets, configfiles=files)
    failures = pd.read_csv(workflow.results / "tables/failures.tsv", sep="\t", dtype=str)
    assert failures.scan.tolist() == [people.participant_id[i] for i in (0, 1, 4, 5, 6)], text[-3000:]
    assert set(failures.rule) == {"conform"}
    wanted = ("truncated", "not finite", "every voxel is 0", "4-D image", "2-D image")
    for reason, words in zip(failures.reason, wanted, strict=True):
        assert words in reason
    assert failures.rerun.str.startswith("snakemake ").all()
    packed = pd.read_csv(workflow.results / "pack/index.tsv", sep="\t")
    assert packed.scan.tolist() == [people.participant_id[i] for i in (2, 3, 7)]


def folder_of(path):
    path.mkdir(parents=True)
    return path


def test_a_truncated_gzip_is_really_truncated(finished):
    """The fault that the test above plants is one that gzip itself refuses."""
    scan = finished.results / "cohort/bids/sub-001/ses-01/anat/sub-001_ses-01_T1w.nii.gz"
    with pytest.raises(EOFError):
        gzip.decompress(scan.read_bytes()[: scan.stat().st_size // 2])
    assert json.loads((finished.results / "cohort/bids/dataset_description.json").read_text())["BIDSVersion"]
