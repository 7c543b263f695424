"""A conformed scan shows the same world, whatever its header and voxel order were."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from counterwarp.errors import ScanError
from counterwarp.imaging.conform import conform, conform_volume
from counterwarp.imaging.io import read_sidecar, read_volume
from counterwarp.imaging.qc import flags
from counterwarp.imaging.resample import resample, shear
from scipy.spatial.transform import Rotation

SHAPE = (20, 24, 28)
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = Rotation.from_euler("xyz", [8, -5, 12], degrees=True).as_matrix() @ np.diag([2.0, 2.5, 3.0])
OBLIQUE[:3, 3] = [-20, -30, -40]


def scan() -> np.ndarray:
    return np.random.default_rng(1).random(SHAPE, np.float32) + 1


def save(path, data, affine, q_code=1, s_code=1, qform=None) -> str:
    image = nib.Nifti1Image(data, affine)
    image.set_qform(affine if qform is None else qform, q_code)
    image.set_sform(affine, s_code)
    nib.save(image, path)
    return str(path)


def stored_as(data, affine, order, flips):
    """The same world with its voxel axes permuted and turned round."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for new, old in enumerate(order):
        matrix[old, new] = -1 if flips[new] else 1
        matrix[old, 3] = data.shape[old] - 1 if flips[new] else 0
    turned = np.transpose(data, order)
    return np.flip(turned, [axis for axis in range(3) if flips[axis]]), affine @ matrix


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", [(0, 0, 0), (1, 0, 0), (0, 1, 1), (1, 1, 1)])
def test_every_axis_order_and_direction_gives_one_and_the_same_scan(tmp_path, order, flips):
    data = scan()
    path = save(tmp_path / "a.nii.gz", *stored_as(data, OBLIQUE, order, flips))
    volume, warnings = conform_volume(path, 10)
    assert warnings == []
    assert nib.aff2axcodes(volume.affine) == ("R", "A", "S")
    np.testing.assert_allclose(volume.affine, OBLIQUE, atol=1e-5)
    np.testing.assert_array_equal(volume.data, data)


def test_qform_and_sform_that_disagree_are_said_and_the_sform_is_used(tmp_path):
    other = OBLIQUE.copy()
    other[0, 3] += 7
    path = save(tmp_path / "a.nii.gz", scan(), OBLIQUE, qform=other)
    volume, warnings = conform_volume(path, 10)
    assert len(warnings) == 1
    assert "7.0 mm" in warnings[0]
    np.testing.assert_allclose(volume.affine, OBLIQUE, atol=1e-5)


def test_rounding_between_qform_and_sform_is_not_worth_a_warning(tmp_path):
    other = OBLIQUE.copy()
    other[0, 3] += 0.01
    assert conform_volume(save(tmp_path / "a.nii.gz", scan(), OBLIQUE, qform=other), 10)[1] == []


@pytest.mark.parametrize(("q_code", "s_code"), [(1, 0), (0, 1)])
def test_one_form_is_enough(tmp_path, q_code, s_code):
    volume, warnings = conform_volume(save(tmp_path / "a.nii.gz", scan(), OBLIQUE, q_code, s_code), 10)
    assert warnings == []
    np.testing.assert_allclose(volume.affine, OBLIQUE, atol=1e-5)


def test_no_form_at_all_is_said(tmp_path):
    path = save(tmp_path / "a.nii.gz", scan(), np.diag([2, 2, 2, 1]), 0, 0)
    assert "left and right" in conform_volume(path, 10)[1][0]


@pytest.mark.parametrize(("code", "unit"), [(0, ""), (1, "meter"), (2, ""), (3, "micron"), (7, ""), (8 + 3, "micron")])
def test_a_unit_that_the_voxel_size_is_not_in_is_said(tmp_path, code, unit):
    """In the byte beside it is the unit of time; 7 is the code of none."""
    image = nib.Nifti1Image(scan(), OBLIQUE)
    image.header["xyzt_units"] = code
    nib.save(image, tmp_path / "a.nii.gz")
    volume, warnings = conform_volume(str(tmp_path / "a.nii.gz"), 10)
    np.testing.assert_allclose(volume.voxel_mm, [2, 2.5, 3], rtol=1e-5)
    assert warnings == ([f"the header gives the voxel size in {unit}: it was taken as mm"] if unit else [])


@pytest.mark.parametrize("hand", [0, np.nan, 2])
def test_a_qform_alone_that_does_not_tell_its_handedness_is_doubted(tmp_path, hand):
    left_handed = OBLIQUE @ np.diag([-1, 1, 1, 1.0])
    path = tmp_path / "a.nii"
    save(path, scan(), left_handed, 1, 0)
    assert conform_volume(str(path), 10)[1] == []
    content = bytearray(path.read_bytes())
    assert np.frombuffer(content, np.float32, 1, 76) == -1
    content[76:80] = np.float32(hand).tobytes()
    path.write_bytes(content)
    [warning] = conform_volume(str(path), 10)[1]
    assert f"a qform alone, with {hand:g} in pixdim[0]" in warning
    good = {"mask_litres": 1.5, "touching_share": 0, "outside_signal": 0.1, "cut_share": 0, "loose_share": 0}
    good |= {"beyond_share": 0, "template_dice": 1, "template_correlation": 1, "misfit_mm": 0}
    assert flags(good, [warning]) == [warning]
    save(path, scan(), left_handed, 1, 1)
    content = bytearray(path.read_bytes())
    content[76:80] = np.float32(hand).tobytes()
    path.write_bytes(content)
    assert "mirror images of each other" in conform_volume(str(path), 10)[1][0]


@pytest.mark.parametrize(("kind", "ends"), [(nib.AnalyzeImage, "img"), (nib.MGHImage, "mgz")])
def test_an_analyze_image_knows_no_left_and_right_and_one_of_freesurfer_does(tmp_path, kind, ends):
    path = str(tmp_path / f"a.{ends}")
    nib.save(kind(scan(), np.diag([-2, 2, 2, 1])), path)
    assert ["left and right" in warning for warning in conform_volume(path, 10)[1]] == [True] * (ends == "img")


def test_a_sheared_header_is_resampled_to_the_same_world_and_said(tmp_path):
    affine = np.diag([2.0, 2.0, 2.0, 1])
    affine[0, 1] = 0.4
    points = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    world = np.tensordot(affine[:3, :3], points, 1)
    slope = (world[0] + 2 * world[1] - world[2]).astype(np.float32) + 100
    image = nib.Nifti1Image(slope, affine)
    nib.save(image, tmp_path / "a.nii.gz")
    volume, warnings = conform_volume(str(tmp_path / "a.nii.gz"), 10)
    assert len(warnings) == 1
    assert "sheared" in warnings[0]
    assert shear(volume.affine) < 1e-6
    middle = np.array(volume.shape) // 2
    x, y, z = volume.affine[:3, :3] @ middle + volume.affine[:3, 3]
    assert volume.data[tuple(middle)] == pytest.approx(x + 2 * y - z + 100, abs=0.1)


def test_a_small_field_of_view_is_refused_with_its_axis_and_size(tmp_path):
    path = save(tmp_path / "a.nii.gz", scan(), np.diag([4, 4, 1, 1]))
    with pytest.raises(ScanError, match=r"28\.0 mm inferior-superior.*minimum_field_of_view_mm = 50"):
        conform_volume(path, 50)


@pytest.mark.parametrize("value", [0, 7])
def test_an_image_of_one_value_is_refused(tmp_path, value):
    path = save(tmp_path / "a.nii.gz", np.full(SHAPE, value, np.float32), np.eye(4))
    with pytest.raises(ScanError, match=f"every voxel is {value}"):
        conform_volume(path, 10)


def test_ringing_below_zero_is_cut_and_an_offset_taken_off(tmp_path):
    data = scan()
    data[0, 0, 0] = -0.05
    volume, warnings = conform_volume(save(tmp_path / "a.nii.gz", data, OBLIQUE), 10)
    assert "set to 0" in warnings[0]
    np.testing.assert_array_equal(volume.data, np.maximum(data, 0))
    volume, warnings = conform_volume(save(tmp_path / "b.nii.gz", data - 3, OBLIQUE), 10)
    assert "was added" in warnings[0]
    np.testing.assert_allclose(volume.data, data + 0.05, atol=1e-6)


def test_the_warnings_are_kept_beside_the_scan(tmp_path):
    data = scan()
    data[0, 0, 0] = -0.01
    path = save(tmp_path / "a.nii.gz", data, OBLIQUE)
    conform(path, str(tmp_path / "c.nii.gz"), str(tmp_path / "c.json"), 10)
    facts = read_sidecar(tmp_path / "c.json")
    assert facts["Sources"] == [path]
    assert len(facts["Warnings"]) == 1
    again, warnings = conform_volume(str(tmp_path / "c.nii.gz"), 10)
    assert warnings == []
    np.testing.assert_array_equal(again.data, read_volume(tmp_path / "c.nii.gz").data)


def test_scans_stored_differently_resample_to_the_same_image_in_mni_space(tmp_path):
    """The whole geometry of a scan: voxel order, oblique header, pose."""
    points = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij")).astype(np.float64)
    world = np.tensordot(OBLIQUE[:3, :3], points, 1) + OBLIQUE[:3, 3].reshape(3, 1, 1, 1)
    bump = np.exp(-((world - np.array([5, 0, 2]).reshape(3, 1, 1, 1)) ** 2).sum(0) / 2 / 12**2).astype(np.float32)
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("z", 90, degrees=True).as_matrix() * 1.1
    pose[:3, 3] = [3, -4, 5]
    grid = np.diag([4.0, 4, 4, 1])
    grid[:3, 3] = -20
    images = []
    for i, (order, flips) in enumerate([((0, 1, 2), (0, 0, 0)), ((2, 0, 1), (1, 0, 1))]):
        path = save(tmp_path / f"{i}.nii.gz", *stored_as(bump, OBLIQUE, order, flips))
        volume, _ = conform_volume(path, 10)
        images.append(resample(volume.data, volume.affine, (11, 11, 11), grid, pose))
    np.testing.assert_allclose(*images, atol=1e-6)
    # The bump's centre (5, 0, 2) mm is turned to (0, 5.5, 2.2) and moved by (3, -4, 5).
    top = np.unravel_index(images[0].argmax(), images[0].shape)
    np.testing.assert_allclose(grid[:3, :3] @ top + grid[:3, 3], [3, 1.5, 7.2], atol=2.01)
