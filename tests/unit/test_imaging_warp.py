"""Fields move images, and maps keep their value, their place and their sign on the way from a scan to the template."""

import json
import math

import nibabel as nib
import numpy as np
import pytest
from counterwarp.errors import CounterwarpError
from counterwarp.imaging.ants import run
from counterwarp.imaging.group import group_map, mean_map
from counterwarp.imaging.io import read_volume, write_image
from counterwarp.imaging.pack import pack_truth
from counterwarp.imaging.resample import resample
from counterwarp.imaging.subjects import carried_maps, volume_maps, write_voxels
from counterwarp.imaging.warp import Field, carry, log_volume, read_field
from scipy.spatial.transform import Rotation

SHAPE = (16, 18, 20)
AFFINE = np.diag([3.0, 3, 3, 1])
AFFINE[:3, 3] = [-24, -27, -30]


def field_of(displacement=(0, 0, 0)) -> Field:
    return Field(np.broadcast_to(np.float32(displacement), (*SHAPE, 3)).copy(), AFFINE)


def world(shape, affine) -> np.ndarray:
    points = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    return points @ affine[:3, :3].T + affine[:3, 3]


def write_itk(path, field: Field) -> str:
    vectors = field.displacement * np.float32([-1, -1, 1])
    image = nib.Nifti1Image(vectors[:, :, :, None, :], field.affine)
    image.header.set_intent("vector")
    nib.save(image, path)
    return str(path)


def test_no_displacement_changes_nothing():
    data = np.random.default_rng(0).random(SHAPE, np.float32)
    np.testing.assert_allclose(carry(data, AFFINE, field_of()), data, atol=1e-5)


def test_a_field_pulls_values_from_where_it_points():
    """Every output voxel takes its value from 6 mm further right, that is from two voxels further along x."""
    data = np.random.default_rng(0).random(SHAPE, np.float32)
    moved = carry(data, AFFINE, field_of((6, 0, 0)))
    np.testing.assert_allclose(moved[:-2], data[2:], atol=1e-5)
    assert not moved[-1].any()


def test_a_field_file_of_itk_is_lps(tmp_path):
    path = write_itk(tmp_path / "w.nii.gz", field_of((6, -3, 9)))
    read = read_field(path)
    np.testing.assert_allclose(read.displacement[3, 4, 5], [6, -3, 9])
    np.testing.assert_allclose(read.affine, AFFINE)


def test_a_field_moves_an_image_as_ants_does(tmp_path):
    x, y, z = np.moveaxis(world(SHAPE, AFFINE), -1, 0)
    bend = np.stack([4 * np.sin(y / 12), 3 * np.cos(z / 9), 5 * np.sin(x / 10)], -1).astype(np.float32)
    field = write_itk(tmp_path / "w.nii.gz", Field(bend, AFFINE))
    data = np.random.default_rng(0).random(SHAPE, np.float32)
    image, moved = tmp_path / "a.nii", tmp_path / "b.nii"
    write_image(data, AFFINE, image, "MNI152")
    run("antsApplyTransforms", "-d", 3, "-i", image, "-r", image, "-t", field, "-o", moved)
    inside = (slice(3, -3),) * 3
    ours = carry(data, AFFINE, read_field(field))
    np.testing.assert_allclose(ours[inside], read_volume(moved).data[inside], atol=1e-3)


def test_a_field_on_a_finer_grid_is_interpolated_and_goes_on_beyond_its_border():
    coarse = field_of()
    coarse.displacement[..., 0] = np.arange(SHAPE[0]).reshape(-1, 1, 1)
    fine = np.diag([1.5, 1.5, 1.5, 1])
    fine[:3, 3] = AFFINE[:3, 3]
    found = coarse.on((40, 36, 40), fine).displacement
    np.testing.assert_allclose(found[:31, 5, 5, 0], np.arange(31) / 2, atol=1e-5)
    np.testing.assert_allclose(found[31:, 5, 5, 0], 15)
    assert coarse.on(SHAPE, AFFINE) is coarse


def test_a_map_keeps_its_value_however_the_field_stretches():
    """A field that doubles all lengths changes no value of a constant map."""
    stretch = Field((-0.5 * world(SHAPE, AFFINE)).astype(np.float32), AFFINE)
    carried = carry(np.full((24, 24, 24), -0.4, np.float32), np.diag([5.0, 5, 5, 1]) - 60 * np.eye(4, k=3), stretch)
    assert carried[8, 9, 10] == pytest.approx(-0.4, abs=1e-6)


def test_a_map_on_the_network_grid_arrives_at_its_place_on_the_template():
    network = np.diag([5.0, 5, 5, 1])
    network[:3, 3] = -40
    place = world((17, 17, 17), network) - np.array([4, -2, 6])
    blob = np.exp(-(place**2).sum(-1) / 2 / 10**2).astype(np.float32)
    carried = carry(blob, network, field_of((3, 0, 0)))
    # Output p takes its value from p + (3, 0, 0): the blob's centre (4, -2, 6) mm is found at (1, -2, 6) mm.
    weights = carried / carried.sum()
    np.testing.assert_allclose((world(SHAPE, AFFINE) * weights[..., None]).sum((0, 1, 2)), [1, -2, 6], atol=1.0)


def test_the_mean_map_is_the_mean_of_the_carried_maps():
    maps = [np.full(SHAPE, value, np.float32) for value in (1, 2, 6)]
    np.testing.assert_allclose(mean_map([(m, field_of()) for m in maps], AFFINE), 3)


def group_files(tmp_path):
    maps = np.stack([np.full(SHAPE, value, np.float32) for value in (10, 1, 2)])
    np.save(tmp_path / "maps.npy", maps)
    mask = np.zeros(SHAPE, bool)
    mask[4:12, 4:12, 4:12] = True
    write_image(mask, AFFINE, tmp_path / "mask.nii.gz", "MNI152")
    warps = [write_itk(tmp_path / f"{i}.nii.gz", field_of()) for i in range(2)]
    return str(tmp_path / "maps.npy"), warps, str(tmp_path / "mask.nii.gz"), mask


def test_the_group_map_averages_the_rows_asked_for_inside_the_template(tmp_path):
    maps, warps, mask_path, mask = group_files(tmp_path)
    group_map(maps, [1, 2], warps, AFFINE, mask_path, str(tmp_path / "g.nii.gz"), "MNI152")
    found = read_volume(tmp_path / "g.nii.gz")
    np.testing.assert_allclose(found.data[mask], 1.5)
    assert not found.data[~mask].any()
    np.testing.assert_allclose(found.affine, AFFINE)


def test_no_scan_to_average_is_said(tmp_path):
    maps, _, mask, _ = group_files(tmp_path)
    with pytest.raises(CounterwarpError, match=r"group\.split"):
        group_map(maps, [], [], AFFINE, mask, str(tmp_path / "g.nii.gz"), "MNI152")


# A scan of a head that is larger than the template, turned, and stored in another voxel order.
SCAN_SHAPE = (40, 44, 36)
POSE = np.eye(4)
POSE[:3, :3] = Rotation.from_euler("xyz", [8, -6, 10], degrees=True).as_matrix() / 1.15
POSE[:3, 3] = [4, -5, 3]
SCAN_AFFINE = np.linalg.inv(POSE)[:3, :3] @ np.array([[0, 0, 2.0], [-2.2, 0, 0], [0, 1.9, 0]])
SCAN_AFFINE = np.block([[SCAN_AFFINE, np.zeros((3, 1))], [0, 0, 0, 1]])
SCAN_AFFINE[:3, 3] = np.linalg.inv(POSE)[:3, 3] - SCAN_AFFINE[:3, :3] @ ((np.array(SCAN_SHAPE) - 1) / 2)
NETWORK_SHAPE = (24, 24, 24)
NETWORK = np.diag([3.0, 3, 3, 1])
NETWORK[:3, 3] = -34.5
RADIUS, SCALE = 16.0, 1.25


def distance_in_scan() -> np.ndarray:
    """Distance, in MNI mm, of each voxel of the scan from the sphere's centre, the MNI origin."""
    return np.linalg.norm(world(SCAN_SHAPE, POSE @ SCAN_AFFINE), axis=-1)


def test_the_known_volume_change_of_a_sphere_survives_the_way_from_scan_to_network_grid(tmp_path):
    """A sphere that grew by 25 % in length: 3 ln 1.25 inside, whatever voxel axes, pose and head size."""
    true = np.where(distance_in_scan() < RADIUS, 3 * math.log(SCALE), 0).astype(np.float32)
    write_image(true, SCAN_AFFINE, tmp_path / "t.nii.gz", "scanner")
    (tmp_path / "x.json").write_text(json.dumps({"WorldMatrix": POSE.tolist()}))
    (tmp_path / "affine.json").write_text(json.dumps(NETWORK.tolist()))
    files = {"sub-1": str(tmp_path / "t.nii.gz")}, {"sub-1": str(tmp_path / "x.json")}
    pack_truth(["sub-1"], *files, str(tmp_path / "affine.json"), NETWORK_SHAPE, str(tmp_path / "truth.npy"))
    packed = np.load(tmp_path / "truth.npy")
    assert packed.shape == (1, *NETWORK_SHAPE)
    away = np.linalg.norm(world(NETWORK_SHAPE, NETWORK), axis=-1)
    np.testing.assert_allclose(packed[0][away < RADIUS - 5], 3 * math.log(SCALE), rtol=1e-3)
    np.testing.assert_allclose(packed[0][away > RADIUS + 5], 0, atol=1e-3)
    carried = carry(packed[0], NETWORK, field_of())
    assert carried[8, 9, 10] == pytest.approx(3 * math.log(SCALE), rel=1e-3)


def test_the_warp_that_grows_the_sphere_reports_expansion():
    """The same sphere scanned twice: the pull-back that makes the second from the first gives + 3 ln 1.25."""
    torch = pytest.importorskip("torch")
    from counterwarp.networks.warp import tissue_log_change, warp

    def scanned(radius):
        edge = np.clip((radius - distance_in_scan()) / 4 + 0.5, 0, 1)
        return resample(edge.astype(np.float32), SCAN_AFFINE, NETWORK_SHAPE, NETWORK, POSE)

    points = world(NETWORK_SHAPE, NETWORK)
    phi = (points / SCALE - points) / 3.0  # voxels: p + phi(p) lies nearer to the centre, so the sphere grows
    displacement = torch.tensor(np.moveaxis(phi, -1, 0)[None], dtype=torch.float32)
    before, after = scanned(RADIUS), scanned(RADIUS * SCALE)
    grown = warp(torch.tensor(before)[None, None], displacement)[0, 0].numpy()
    assert np.abs(grown - after).mean() < 0.25 * np.abs(before - after).mean()
    assert grown.sum() / before.sum() == pytest.approx(SCALE**3, rel=0.05)
    assert after.sum() / before.sum() == pytest.approx(SCALE**3, rel=0.05)
    change, folded = tissue_log_change(displacement)
    np.testing.assert_allclose(change.numpy(), 3 * math.log(SCALE), rtol=1e-4)
    assert not folded.any()


def test_log_volume_of_a_known_scaling_on_an_oblique_grid():
    """The template's voxel takes its value from a piece 1.1 x 1.2 x 0.9 as large, along turned axes."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [10, -20, 30], degrees=True).as_matrix() @ np.diag([2.0, -3, 2.5])
    affine[:3, 3] = [5, -7, 9]
    turn = Rotation.from_euler("xyz", [40, 5, 60], degrees=True).as_matrix()
    stretch = turn @ np.diag([1.1, 1.2, 0.9]) @ turn.T
    displacement = world(SHAPE, affine) @ (stretch - np.eye(3)).T
    expected = math.log(1.1 * 1.2 * 0.9)
    np.testing.assert_allclose(log_volume(Field(displacement.astype(np.float32), affine)), expected, atol=1e-4)


def test_a_fold_is_refused():
    displacement = np.zeros((*SHAPE, 3), np.float32)
    displacement[..., 0] = -2 * world(SHAPE, AFFINE)[..., 0]
    with pytest.raises(CounterwarpError, match="folds"):
        log_volume(Field(displacement, AFFINE))


def test_maps_of_subjects_are_carried_and_their_seeds_averaged(tmp_path):
    rng = np.random.default_rng(0)
    maps = rng.random((2, 3, *SHAPE), np.float32)
    paths = [str(tmp_path / f"{seed}.npy") for seed in (1, 2)]
    for path, values in zip(paths, maps, strict=True):
        np.save(path, values)
    mask = np.zeros(SHAPE, np.float32)
    mask[4:8, 5:9, 6:10] = 1
    write_image(mask, AFFINE, tmp_path / "mask.nii.gz", "MNI152")
    still, moved = field_of(), field_of((6, 0, 0))
    warps = [write_itk(tmp_path / "still.nii.gz", still), write_itk(tmp_path / "moved.nii.gz", moved)]
    carried, where = carried_maps(paths, [2, 0], warps, AFFINE, str(tmp_path / "mask.nii.gz"))
    mean = maps.mean(0)
    np.testing.assert_allclose(carried[0], mean[2][mask > 0], atol=1e-5)
    np.testing.assert_allclose(carried[1].reshape(4, 4, 4), mean[0][6:10, 5:9, 6:10], atol=1e-5)
    write_voxels(carried[1], where, tmp_path / "out.nii.gz", "MNI152")
    written = read_volume(tmp_path / "out.nii.gz").data
    np.testing.assert_allclose(written[mask > 0], carried[1])
    assert not written[mask == 0].any()
    volumes, _ = volume_maps(warps, str(tmp_path / "mask.nii.gz"))
    np.testing.assert_allclose(volumes, 0, atol=1e-6)
