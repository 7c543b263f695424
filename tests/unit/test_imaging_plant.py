"""A disease planted in a drawn brain, whose registration is known: the region changes by what was asked for."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from counterwarp.errors import ConfigError, ScanError
from counterwarp.imaging.io import read_volume, write_image
from counterwarp.imaging.plant import Draw, plant, turned_grid, write_disease
from scipy.ndimage import map_coordinates

SHAPE = (40, 44, 40)
AFFINE = np.diag([2.0, 2, 2, 1])
AFFINE[:3, 3] = -40, -44, -40
CHANGE = -0.25


def ball(radius_mm: float, middle=(0, 0, 0)) -> np.ndarray:
    points = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"), -1) @ AFFINE[:3, :3] + AFFINE[:3, 3]
    return np.linalg.norm(points - np.array(middle), axis=-1) < radius_mm


@pytest.fixture
def files(tmp_path):
    """A brain of 34 mm, on the template already, with a region of 9 mm; the scan shows the region bright."""
    brain, region = ball(34), ball(9, (12, 0, 0))
    write_image(np.where(brain, 100.0, 0) + 100 * region, AFFINE, tmp_path / "conformed.nii.gz", "scanner")
    for name in ("mask", "template_mask"):
        write_image(brain, AFFINE, tmp_path / f"{name}.nii.gz", "MNI152")
    for name in ("warp", "inverse"):
        write_image(np.zeros((*SHAPE, 1, 3)), AFFINE, tmp_path / f"{name}.nii.gz", "MNI152")
    np.savetxt(tmp_path / "world.txt", np.eye(4))
    write_image(region.astype(np.int16), AFFINE, tmp_path / "labels.nii.gz", "MNI152")
    pd.DataFrame({"index": [1], "name": ["ball_R"]}).to_csv(tmp_path / "labels.tsv", sep="\t", index=False)
    names = ("conformed", "mask", "template_mask", "warp", "inverse")
    inputs = {name: str(tmp_path / f"{name}.nii.gz") for name in names}
    inputs |= {"world": str(tmp_path / "world.txt"), "disease": str(tmp_path / "disease.npz")}
    write_disease(
        str(tmp_path / "labels.nii.gz"),
        str(tmp_path / "labels.tsv"),
        inputs["template_mask"],
        {"ball": CHANGE},
        inputs["disease"],
    )
    outputs = {name: str(tmp_path / f"out_{name}.nii.gz") for name in ("image", "mask", "log_jacobian")}
    return inputs, outputs | {"truth": str(tmp_path / "truth.json")}


def volume_ml(path: str) -> float:
    """Of the bright region."""
    image = read_volume(path)
    return float((image.data > 150).sum() * abs(np.linalg.det(image.affine[:3, :3])) / 1000)


def inside(path: str, middle, radius_mm: float) -> np.ndarray:
    """The values of an image within a ball."""
    image = read_volume(path)
    points = np.argwhere(np.ones(image.shape, bool)) @ image.affine[:3, :3].T + image.affine[:3, 3]
    return image.data.reshape(-1)[np.linalg.norm(points - np.array(middle), axis=1) < radius_mm]


def test_the_region_shrinks_by_what_was_asked_for(files):
    inputs, outputs = files

    def volume(severity: float, subject: str) -> float:
        plant(inputs, outputs, Draw(1, subject, severity))
        return volume_ml(outputs["image"])

    # Its drawn edge is a staircase: one scan is off by up to a tenth.
    before, after = (np.mean([volume(severity, f"{i}") for i in range(5)]) for severity in (0.0, 1.0))
    assert np.log(after / before) == pytest.approx(CHANGE, abs=0.04)
    # The truth of a patient lies where the region is now, which is smaller.
    shrunk = inside(outputs["log_jacobian"], (12, 0, 0), 9 * np.exp(CHANGE / 3))
    assert shrunk.mean() == pytest.approx(CHANGE, abs=0.03)
    assert json.loads(Path(outputs["truth"]).read_text()) == {"severity": 1.0, "counterfactual": False}


def test_a_control_is_only_sampled_anew_and_its_truth_is_the_counterfactual(files):
    inputs, outputs = files
    plant(inputs, outputs, Draw(seed=1, subject="02", severity=0.0))
    scan, image = read_volume(inputs["conformed"]), read_volume(outputs["image"])
    voxels = np.argwhere(np.ones(image.shape, bool)) @ image.affine[:3, :3].T + image.affine[:3, 3]
    voxels = (voxels - AFFINE[:3, 3]) / 2
    expected = np.maximum(map_coordinates(scan.data, voxels.T, order=3, mode="constant"), 0).reshape(image.shape)
    there = image.data > 0
    np.testing.assert_allclose(image.data[there], expected[there], rtol=1e-3, atol=0.1)
    # No brighter rim is left around a scan without skull.
    assert there.sum() * 8 == pytest.approx((scan.data > 0).sum() * 8, rel=0.02)
    assert inside(outputs["log_jacobian"], (12, 0, 0), 9).mean() == pytest.approx(CHANGE, abs=0.03)
    assert json.loads(Path(outputs["truth"]).read_text())["counterfactual"]


def test_what_is_far_from_the_region_hardly_changes(files):
    inputs, outputs = files
    plant(inputs, outputs, Draw(seed=1, subject="01", severity=1.0))
    assert np.abs(inside(outputs["log_jacobian"], (-18, 0, 0), 10)).max() < 0.02


def test_a_change_of_nothing_changes_nothing(files, tmp_path):
    inputs, outputs = files
    names = (str(tmp_path / "labels.nii.gz"), str(tmp_path / "labels.tsv"), inputs["template_mask"])
    write_disease(*names, {"ball": 0.0}, inputs["disease"])
    images = []
    for severity in (0.0, 1.0):
        plant(inputs, outputs, Draw(1, "01", severity))
        images.append(read_volume(outputs["image"]).data)
        assert not read_volume(outputs["log_jacobian"]).data.any()
    np.testing.assert_array_equal(*images)


def test_grids_differ_between_subjects_and_hold_the_whole_scan(files):
    inputs, _ = files
    scan = read_volume(inputs["conformed"])
    grids = [turned_grid(scan, np.random.default_rng(seed)) for seed in range(20)]
    assert len({affine.tobytes() for _, affine in grids}) == 20
    corners = np.array([[x, y, z] for x in (0, SHAPE[0] - 1) for y in (0, SHAPE[1] - 1) for z in (0, SHAPE[2] - 1)])
    for shape, affine in grids:
        world = corners @ AFFINE[:3, :3].T + AFFINE[:3, 3]
        voxels = (world - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
        assert (voxels >= 0).all() and (voxels <= np.array(shape) - 1).all()


def test_a_registration_that_misses_or_folds_fails_the_scan(files, tmp_path):
    inputs, outputs = files
    away = np.eye(4)
    away[0, 3] = 20
    np.savetxt(tmp_path / "away.txt", away)
    with pytest.raises(ScanError, match=r"conformed.nii.gz: the template's brain overlaps .* Dice of 0\.[0-8]"):
        plant(inputs | {"world": str(tmp_path / "away.txt")}, outputs, Draw(1, "01", 1.0))
    folding = np.zeros((*SHAPE, 1, 3))
    folding[20:22, :, :, 0, 0] = 6
    write_image(folding, AFFINE, tmp_path / "folding.nii.gz", "MNI152")
    with pytest.raises(ScanError, match="no disease can be planted: the deformation folds"):
        plant(inputs | {"inverse": str(tmp_path / "folding.nii.gz")}, outputs, Draw(1, "01", 1.0))


def test_an_unknown_region_is_named(files, tmp_path):
    inputs, _ = files
    names = (str(tmp_path / "labels.nii.gz"), str(tmp_path / "labels.tsv"), inputs["template_mask"])
    with pytest.raises(ConfigError, match="no region 'cube'; the template has ball"):
        write_disease(*names, {"cube": 0.1}, inputs["disease"])
