"""Masks of the user's own: one a scan, in the scan's own space, or every problem at once."""

import pandas as pd
import pytest
from counterwarp.cohorts.masks import with_masks
from counterwarp.errors import ConfigError


def scans(**columns) -> pd.DataFrame:
    rows = {"scan": ["sub-01", "sub-02_ses-1"], "folder": ["sub-01", "sub-02/ses-1"]}
    return pd.DataFrame(rows | columns)


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_masks_of_derivatives_are_those_of_the_scans_own_space(tmp_path):
    first = touch(tmp_path / "sub-01/anat/sub-01_acq-mprage_desc-brain_mask.nii.gz")
    touch(tmp_path / "sub-01/anat/sub-01_space-MNI152NLin2009cAsym_desc-brain_mask.nii.gz")
    touch(tmp_path / "sub-01/anat/sub-01_desc-preproc_T1w.nii.gz")
    second = touch(tmp_path / "sub-02/ses-1/anat/sub-02_ses-1_desc-brain_mask.nii")
    assert with_masks(scans(), str(tmp_path), {})["mask"].tolist() == [str(first), str(second)]


def test_every_scan_without_a_mask_or_with_several_is_listed(tmp_path):
    for name in ("acq-a", "acq-b"):
        touch(tmp_path / f"sub-01/anat/sub-01_{name}_desc-brain_mask.nii.gz")
    with pytest.raises(ConfigError) as caught:
        with_masks(scans(), str(tmp_path), {})
    first, second = caught.value.problems
    assert "sub-01: several masks in" in first and "sub-01_acq-b_desc-brain_mask.nii.gz; keep one" in first
    place = tmp_path / "sub-02/ses-1/anat/sub-02_ses-1_desc-brain_mask.nii.gz"
    assert second == f"sub-02_ses-1: no mask {place}; add it, or exclude the scan"


def test_masks_of_a_table_lie_in_its_folder(tmp_path):
    touch(tmp_path / "masks/a.nii")
    cohort = {"path": str(tmp_path / "scans.tsv")}
    found = with_masks(scans(mask=["masks/a.nii", "masks/a.nii"]), "", cohort)
    assert found["mask"].tolist() == [str(tmp_path / "masks/a.nii")] * 2
    with pytest.raises(ConfigError) as caught:
        with_masks(scans(mask=["../a.nii", "masks/b.nii"]), "", cohort)
    assert "sub-01: mask '../a.nii' leaves the folder of the table" in caught.value.problems[0]
    assert f"sub-02_ses-1: no mask {tmp_path}/masks/b.nii; correct the path" in caught.value.problems[1]


def test_no_folder_and_no_column_is_said():
    with pytest.raises(
        ConfigError, match=r"has no column mask; add one, or name the folder .* preprocess\.strip\.masks"
    ):
        with_masks(scans(), "", {"path": "scans.tsv"})
