"""The packed cohort holds the usable scans in order, each with its row in the index."""

import json

import numpy as np
import pandas as pd
import pytest
from counterwarp.errors import CounterwarpError
from counterwarp.imaging.io import write_image
from counterwarp.imaging.pack import pack

SHAPE = (8, 9, 10)
LABELS = pd.DataFrame(
    {
        "scan": ["sub-03", "sub-01", "sub-02_ses-1", "sub-02_ses-2"],
        "subject": ["03", "01", "02", "02"],
        "group": ["control", "patient", "patient", "patient"],
        "split": ["train", "test", "train", "train"],
        "baseline": [True, True, True, False],
    }
)


def files(tmp_path) -> dict[str, str]:
    mask = np.zeros((20, 20, 20), bool)
    mask[4:16, 4:16, 4:16] = True
    write_image(mask, np.diag([2.0, 2, 2, 1]), tmp_path / "mask.nii.gz", "MNI152")
    for value, scan in enumerate(LABELS.scan):
        write_image(np.full(SHAPE, value / 3.0), np.eye(4), tmp_path / f"{scan}.nii.gz", "MNI152")
    return {scan: str(tmp_path / f"{scan}.nii.gz") for scan in LABELS.scan}


def run(tmp_path, images) -> None:
    outputs = [str(tmp_path / name) for name in ("images.npy", "index.tsv", "mask.npy", "affine.json")]
    pack(LABELS, images, str(tmp_path / "mask.nii.gz"), SHAPE, 4.0, 0, *outputs)


def test_rows_follow_the_labels_and_failed_scans_are_left_out(tmp_path):
    images = files(tmp_path)
    del images["sub-01"]
    run(tmp_path, images)
    packed = np.load(tmp_path / "images.npy")
    assert packed.dtype == np.float16
    np.testing.assert_allclose(packed[:, 0, 0, 0], np.float16([0, 2 / 3, 1]))
    index = pd.read_csv(tmp_path / "index.tsv", sep="\t", dtype={"subject": str})
    assert list(index.columns) == ["row", "scan", "subject", "group", "split", "baseline"]
    assert list(index.row) == [0, 1, 2]
    assert list(index.scan) == ["sub-03", "sub-02_ses-1", "sub-02_ses-2"]
    assert list(index.subject) == ["03", "02", "02"]
    assert list(index.baseline) == [True, True, False]


def test_the_grid_and_the_templates_brain_on_it_are_kept(tmp_path):
    run(tmp_path, files(tmp_path))
    mask, affine = np.load(tmp_path / "mask.npy"), np.array(json.loads((tmp_path / "affine.json").read_text()))
    assert mask.dtype == bool
    # The brain is a cube of 24 mm around (19, 19, 19) mm.
    assert mask.sum() * 4**3 == pytest.approx(24**3, rel=0.25)
    centre = np.argwhere(mask).mean(0)
    np.testing.assert_allclose(affine[:3, :3] @ centre + affine[:3, 3], 19, atol=2.01)


def test_a_group_without_a_usable_scan_stops_the_run(tmp_path):
    images = files(tmp_path)
    del images["sub-03"]
    with pytest.raises(CounterwarpError, match="no usable control scan"):
        run(tmp_path, images)


def test_the_same_cohort_packs_to_the_same_bytes(tmp_path):
    images = files(tmp_path)
    run(tmp_path, images)
    first = (tmp_path / "images.npy").read_bytes()
    run(tmp_path, images)
    assert (tmp_path / "images.npy").read_bytes() == first
