"""ITK's conventions, by numbers worked out by hand and against ANTs itself."""

import os
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from counterwarp.imaging.ants import LPS, from_array, own_folder, read_world_matrix, start, world_matrix
from scipy.spatial.transform import Rotation


def test_a_translation_changes_sign_along_the_first_two_axes():
    matrix = world_matrix([1, 0, 0, 0, 1, 0, 0, 0, 1, 10, 20, 30], [0, 0, 0])
    expected = np.eye(4)
    expected[:3, 3] = [-10, -20, 30]
    np.testing.assert_allclose(matrix, expected)


def test_the_centre_moves_with_the_matrix():
    """Doubling x about the LPS point (5, 0, 0) keeps the RAS point (-5, 0, 0) and puts (0, 0, 0) on (5, 0, 0)."""
    matrix = world_matrix([2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], [5, 0, 0])
    np.testing.assert_allclose(matrix @ [-5, 0, 0, 1], [-5, 0, 0, 1])
    np.testing.assert_allclose(matrix @ [0, 0, 0, 1], [5, 0, 0, 1])


def test_a_shear_into_z_changes_sign():
    """LPS z' = z + x is RAS z' = z - x."""
    matrix = world_matrix([1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0], [0, 0, 0])
    np.testing.assert_allclose(matrix @ [3, 0, 0, 1], [3, 0, -3, 1])


def test_the_matrix_of_a_file_moves_points_as_ants_does(tmp_path):
    ants = start(1)
    rng = np.random.default_rng(0)
    linear = Rotation.from_euler("xyz", [10, -20, 15], degrees=True).as_matrix() @ np.diag([1.1, 0.9, 1.2])
    transform = ants.create_ants_transform(
        transform_type="AffineTransform", matrix=linear, translation=[3.0, -7, 11], center=[20.0, -10, 5]
    )
    path = str(tmp_path / "a.mat")
    ants.write_transform(transform, path)
    points = rng.normal(0, 50, (20, 3))
    world = read_world_matrix(ants, path)
    moved = points @ world[:3, :3].T + world[:3, 3]

    import pandas as pd

    flipped = pd.DataFrame(points * [-1, -1, 1], columns=list("xyz"))
    by_ants = ants.apply_transforms_to_points(3, flipped, [path])[["x", "y", "z"]].to_numpy() * [-1, -1, 1]
    np.testing.assert_allclose(moved, by_ants, atol=1e-4)


@pytest.mark.parametrize("axes", ["RAS", "LPS", "PIR", "SAL"])
def test_an_array_gets_the_header_that_ants_reads_from_its_file(tmp_path, axes):
    ants = start(1)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [5, 9, -7], degrees=True).as_matrix() @ np.diag([1.0, 2, 3])
    affine[:3, 3] = [-40, 30, 20]
    data = np.random.default_rng(0).random((4, 5, 6), np.float32)
    image = nib.Nifti1Image(data, affine)
    image = image.as_reoriented(
        nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(axes))
    )
    image.set_qform(image.affine, 1)
    image.set_sform(image.affine, 1)
    nib.save(image, tmp_path / "a.nii.gz")
    read = ants.image_read(str(tmp_path / "a.nii.gz"))
    made = from_array(ants, image.get_fdata(), image.affine)
    np.testing.assert_allclose(made.origin, read.origin, atol=1e-4)
    np.testing.assert_allclose(made.spacing, read.spacing, atol=1e-5)
    np.testing.assert_allclose(made.direction, read.direction, atol=1e-5)
    np.testing.assert_array_equal(made.numpy(), read.numpy())


def test_ras_and_lps_are_each_others_mirror():
    np.testing.assert_array_equal(LPS @ LPS, np.eye(4))


def test_ants_starts_with_a_seed_and_one_thread():
    start(1)
    assert os.environ["ANTS_RANDOM_SEED"] == "1"
    assert os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] == "1"


def test_the_temporary_folder_is_gone_afterwards_and_the_usual_one_back():
    usual = tempfile.gettempdir()
    with own_folder() as prefix:
        folder = Path(prefix)
        assert folder.is_dir()
        assert tempfile.gettempdir() == str(folder)
        Path(f"{prefix}0Warp.nii.gz").touch()
        assert (folder / "0Warp.nii.gz").exists()
    assert not folder.exists()
    assert tempfile.gettempdir() == usual
