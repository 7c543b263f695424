"""ITK's conventions, by numbers worked out by hand and against ANTs itself."""

import os

import ants
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from counterwarp.errors import ScanError
from counterwarp.imaging.ants import LPS, own_folder, read_world_matrix, run, run_registration, world_matrix
from counterwarp.imaging.io import read_volume, write_image
from counterwarp.imaging.register import STAGES
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
    rng = np.random.default_rng(0)
    linear = Rotation.from_euler("xyz", [10, -20, 15], degrees=True).as_matrix() @ np.diag([1.1, 0.9, 1.2])
    transform = ants.create_ants_transform(
        transform_type="AffineTransform", matrix=linear, translation=[3.0, -7, 11], center=[20.0, -10, 5]
    )
    path = str(tmp_path / "a.mat")
    ants.write_transform(transform, path)
    points = rng.normal(0, 50, (20, 3))
    world = read_world_matrix(path)
    moved = points @ world[:3, :3].T + world[:3, 3]
    flipped = pd.DataFrame(points * [-1, -1, 1], columns=list("xyz"))
    by_ants = ants.apply_transforms_to_points(3, flipped, [path])[["x", "y", "z"]].to_numpy() * [-1, -1, 1]
    np.testing.assert_allclose(moved, by_ants, atol=1e-4)


@pytest.mark.parametrize("axes", ["RAS", "LPS", "PIR", "SAL"])
def test_a_written_image_has_the_world_that_itk_reads(tmp_path, axes):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [5, 9, -7], degrees=True).as_matrix() @ np.diag([1.0, 2, 3])
    affine[:3, 3] = [-40, 30, 20]
    turn = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(axes))
    data = np.random.default_rng(0).random((4, 5, 6), np.float32)
    image = nib.Nifti1Image(data, affine).as_reoriented(turn)
    write_image(image.get_fdata(), image.affine, tmp_path / "a.nii.gz", "scanner")
    read = ants.image_read(str(tmp_path / "a.nii.gz"))
    lps = np.eye(4)
    lps[:3, :3] = read.direction @ np.diag(read.spacing)
    lps[:3, 3] = read.origin
    np.testing.assert_allclose(LPS @ lps, image.affine, atol=1e-4)
    np.testing.assert_array_equal(read.numpy(), image.get_fdata(dtype=np.float32))


def test_a_program_reads_and_writes_files(tmp_path):
    data = np.zeros((6, 6, 6), np.float32)
    data[2:4, 2:4, 2:4] = 10
    write_image(data, np.eye(4), tmp_path / "a.nii", "scanner")
    run("ThresholdImage", 3, tmp_path / "a.nii", tmp_path / "b.nii", 5, 15)
    np.testing.assert_array_equal(read_volume(tmp_path / "b.nii").data, data > 5)


def test_programs_run_with_the_seed_and_one_thread(tmp_path):
    write_image(np.arange(8.0).reshape(2, 2, 2), np.eye(4), tmp_path / "a.nii", "scanner")
    run("ThresholdImage", 3, tmp_path / "a.nii", tmp_path / "b.nii", 5, 15, seed=7)
    assert os.environ["ANTS_RANDOM_SEED"] == "7"
    assert os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] == "1"


def test_a_program_that_gives_up_is_an_error_of_the_scan(tmp_path):
    write_image(np.zeros((8, 8, 8)), np.eye(4), tmp_path / "a.nii", "scanner")  # it has no centre of mass
    with pytest.raises(ScanError, match="antsRegistration gave up"):
        run_registration(
            tmp_path / "a.nii", tmp_path / "a.nii", (STAGES[12],), f"{tmp_path}/", 1, tmp_path / "none.mat"
        )


def test_the_temporary_folder_is_gone_afterwards():
    with own_folder() as folder:
        (folder / "0Warp.nii.gz").touch()
        assert (folder / "0Warp.nii.gz").exists()
    assert not folder.exists()
