"""The network's grid and scale."""

import nibabel as nib
import numpy as np
import pytest
from counterwarp.errors import ConfigError, ScanError
from counterwarp.imaging.io import read_sidecar, write_image
from counterwarp.imaging.normalise import network_affine, normalise, to_percentiles, z_score


def test_z_scores_of_the_brain_and_the_background_at_its_darkest():
    values = np.array([99.0, 2, 4, 6, -50]).reshape(5, 1, 1)
    inside = np.array([False, True, True, True, False]).reshape(5, 1, 1)
    scaled, numbers = z_score(values, inside)
    # The lowest 0.5 % of (2, 4, 6) reaches to 2.02: mean 4.00667, sd sqrt((1.98667^2 + 0.00667^2 + 1.99333^2) / 3).
    mean, spread = 12.02 / 3, np.sqrt((1.986667**2 + 0.006667**2 + 1.993333**2) / 3)
    expected = (np.array([2.02, 2.02, 4, 6, 2.02]) - mean) / spread
    np.testing.assert_allclose(scaled.ravel(), expected, rtol=1e-5)
    assert numbers["Background"] == pytest.approx(expected[0], abs=1e-6)
    assert numbers["Mean"] == pytest.approx(mean, abs=1e-6)
    assert numbers["StandardDeviation"] == pytest.approx(spread, abs=1e-6)


def test_the_brain_has_mean_0_and_sd_1_and_nothing_is_below_the_background():
    rng = np.random.default_rng(0)
    inside = rng.random((12, 12, 12)) > 0.5
    scaled, numbers = z_score(rng.normal(700, 90, inside.shape), inside)
    assert scaled[inside].mean() == pytest.approx(0, abs=1e-5)
    assert scaled[inside].std() == pytest.approx(1, abs=1e-5)
    assert (scaled[~inside] == scaled.min()).all()
    assert scaled.min() == np.float32(numbers["Background"]) or scaled.min() == pytest.approx(numbers["Background"])


@pytest.mark.parametrize("brain", [np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)])
def test_a_brain_that_is_empty_or_flat_has_no_z_score(brain):
    with pytest.raises(ValueError, match=r"empty|every voxel"):
        z_score(np.full((3, 3, 3), 5.0), brain)


def test_percentiles_5_and_95_of_the_brain_become_minus_1_and_1_and_the_background_is_the_darkest():
    inside = np.ones((21, 1, 2), bool)
    inside[:, :, 1] = False
    # 0 to 20: their percentiles 5 and 95 are 1 and 19.
    values = np.stack([np.arange(21.0), np.full(21, 700.0)], 1).reshape(21, 1, 2)
    scaled, numbers = to_percentiles(values, inside)
    np.testing.assert_allclose(scaled[[0, 1, 10, 19, 20], 0, 0], [-1, -1, 0, 1, 1])
    assert scaled[1, 0, 0] < scaled[2, 0, 0] == pytest.approx(-1 + 2 / 18)
    assert (scaled[~inside] == -1).all() and numbers == {"Percentile5": 1, "Percentile95": 19, "Background": -1}
    with pytest.raises(ValueError, match="nine tenths of the brain's voxels are 5"):
        to_percentiles(np.full((21, 1, 2), 5.0), inside)


def test_the_grid_is_centred_on_the_brain():
    mask = np.zeros((30, 30, 30), bool)
    mask[10:20, 4:16, 10:21] = True  # centre of the box at voxel (14.5, 9.5, 15)
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = [-30, 0, 10]
    grid = network_affine(mask, affine, [8, 10, 9], 5.0)
    np.testing.assert_allclose(grid[:3, :3], np.diag([5, 5, 5]))
    # The middle of the grid, voxel (3.5, 4.5, 4), lies at (-30 + 29, 19, 10 + 30) mm.
    np.testing.assert_allclose(grid[:3, :3] @ [3.5, 4.5, 4] + grid[:3, 3], [-1, 19, 40])


def test_a_grid_smaller_than_the_brain_is_refused():
    mask = np.ones((30, 30, 30), bool)
    with pytest.raises(ConfigError, match="raise network_shape"):
        network_affine(mask, np.diag([5.0, 5, 5, 1]), [20, 40, 20], 5.0)


def test_the_end_of_the_brainstem_may_lie_below_the_grid():
    mask = np.ones((20, 20, 30), bool)
    # 30 voxels of 2 mm, and 2 mm for the half voxels at either end, are 62 mm; the grid has 50.
    grid = network_affine(mask, np.diag([2.0, 2, 2, 1]), [40, 40, 50], 1.0, cut_mm=12.0)
    top = grid[2, 3] + 49
    # What is cut is below: the brain's last voxel is at 58 mm, its edge at 59.
    assert 58 <= top <= 60 and grid[2, 3] == top - 49
    with pytest.raises(ConfigError, match="network_cut_mm"):
        network_affine(mask, np.diag([2.0, 2, 2, 1]), [40, 40, 50], 1.0, cut_mm=5.0)


def files(tmp_path, brain, affine):
    rng = np.random.default_rng(0)
    write_image(rng.normal(700, 90, brain.shape) * brain, affine, tmp_path / "p.nii.gz", "MNI152")
    write_image(brain, affine, tmp_path / "m.nii.gz", "MNI152")
    return [str(tmp_path / name) for name in ("p.nii.gz", "m.nii.gz", "m.nii.gz", "n.nii.gz", "n.json")]


def test_the_written_image_has_one_background_and_its_side_car_says_it(tmp_path):
    brain = np.zeros((30, 30, 30), bool)
    brain[5:25, 5:25, 5:25] = True
    normalise(*files(tmp_path, brain, np.diag([3.0, 3, 3, 1])), [16, 16, 16], 5.0, 0, "z_score", "MNI152")
    image = nib.load(tmp_path / "n.nii.gz")
    data, facts = image.get_fdata(), read_sidecar(tmp_path / "n.json")
    assert data.shape == (16, 16, 16)
    np.testing.assert_allclose(image.header.get_zooms(), 5)
    np.testing.assert_allclose(data[0], facts["Background"], atol=1e-5)
    assert data.min() == pytest.approx(facts["Background"], abs=1e-5)


def test_a_flat_brain_is_refused_by_name(tmp_path):
    brain = np.zeros((30, 30, 30), bool)
    brain[5:25, 5:25, 5:25] = True
    paths = files(tmp_path, brain, np.diag([3.0, 3, 3, 1]))
    write_image(brain * 4.0, np.diag([3.0, 3, 3, 1]), paths[0], "MNI152")
    with pytest.raises(ScanError, match=r"p\.nii\.gz"):
        normalise(*paths, [16, 16, 16], 5.0, 0, "z_score", "MNI152")
