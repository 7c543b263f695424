"""Resampling against numbers worked out by hand."""

import numpy as np
import pytest
from counterwarp.imaging.io import Volume
from counterwarp.imaging.resample import at_least, blur, corners, near_mask, resample, resample_inside, shear

SLOPE = np.broadcast_to(np.arange(10, dtype=np.float32).reshape(10, 1, 1), (10, 8, 6)).copy()


def shift(*mm) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = mm
    return matrix


def test_the_same_grid_gives_the_same_image():
    data = np.random.default_rng(0).random((5, 6, 7), np.float32)
    for order in (0, 1):
        np.testing.assert_allclose(resample(data, np.eye(4), data.shape, np.eye(4), order=order), data, atol=1e-6)


def test_a_grid_that_starts_half_a_voxel_further_reads_half_a_voxel_further():
    moved = resample(SLOPE, np.eye(4), (9, 8, 6), shift(0.5, 0, 0))
    np.testing.assert_allclose(moved[:, 4, 3], np.arange(9) + 0.5)


def test_the_world_moves_what_the_image_shows():
    """The world map says where a point of the source goes: a voxel at x = 4 mm goes to x = 7 mm."""
    moved = resample(SLOPE, np.eye(4), SLOPE.shape, np.eye(4), shift(3, 0, 0))
    assert moved[7, 4, 3] == 4
    assert moved[2, 4, 3] == 0


def test_voxel_edges_and_origins_are_counted():
    affine = shift(100, 0, 0) @ np.diag([2, 1, 1, 1])
    target = shift(104, 0, 0) @ np.diag([1, 1, 1, 1])
    np.testing.assert_allclose(resample(SLOPE, affine, (4, 8, 6), target)[:, 4, 3], [2, 2.5, 3, 3.5])


def test_coarse_voxels_average_what_they_cover_instead_of_picking():
    checks = np.indices((24, 24, 24)).sum(0) % 2
    coarse = resample(checks, np.eye(4), (6, 6, 6), np.diag([4, 4, 4, 1]))
    np.testing.assert_allclose(coarse[1:-1, 1:-1, 1:-1], 0.5, atol=0.02)
    assert set(np.unique(resample(checks, np.eye(4), (6, 6, 6), np.diag([4, 4, 4, 1]), order=0))) == {0}


def test_equal_voxels_are_not_blurred_however_they_lie():
    data = np.random.default_rng(0).random((5, 5, 5), np.float32)
    turn = np.array([[0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    np.testing.assert_array_equal(blur(data, turn), data)


def test_only_the_axis_that_gets_coarser_is_blurred():
    point = np.zeros((9, 9, 9), np.float32)
    point[4, 4, 4] = 1
    blurred = blur(point, np.diag([1, 3, 1, 1]))
    assert blurred[4, :, 4].sum() == pytest.approx(1, abs=1e-3)
    assert blurred[3, 4, 4] == blurred[4, 4, 5] == 0
    # sd = sqrt(9 - 1) / 2.3548 = 1.2011 voxels: neighbours at exp(-1/2 / 1.2011^2) = 0.7071 of the middle.
    assert blurred[4, 5, 4] / blurred[4, 4, 4] == pytest.approx(0.7071, abs=1e-3)


def test_nothing_from_outside_the_mask_is_mixed_in():
    data = np.full((20, 20, 20), 1000.0, np.float32)
    mask = np.zeros(data.shape, bool)
    mask[5:15, 5:15, 5:15] = True
    data[mask] = 7
    values, inside = resample_inside(data, mask, np.eye(4), (7, 7, 7), np.diag([3, 3, 3, 1]))
    np.testing.assert_allclose(values[inside], 7, rtol=1e-5)
    assert not values[~inside].any()
    assert inside.sum() * 27 == pytest.approx(mask.sum(), rel=0.4)


def test_only_edges_that_are_too_short_become_longer():
    volume = Volume(np.random.default_rng(0).random((20, 20, 10), np.float32), np.diag([1.0, 1, 3, 1]))
    coarse = at_least(volume, 2.0)
    np.testing.assert_allclose(coarse.voxel_mm, [2, 2, 3])
    assert coarse.shape == (10, 10, 10)
    assert at_least(coarse, 2.0) is coarse


def test_shear_is_the_cosine_between_axes():
    assert shear(np.diag([2.0, 3, 4, 1])) == 0
    sheared = np.eye(4)
    sheared[0, 1] = 1  # the second axis is now (1, 1, 0): 45 degrees from the first
    assert shear(sheared) == pytest.approx(np.sqrt(0.5))


def test_corners_are_those_of_the_voxel_centres():
    found = corners((3, 2, 2), np.diag([2.0, 1, 1, 1]))
    assert found.shape == (8, 3)
    np.testing.assert_array_equal(found.max(0), [4, 1, 1])
    np.testing.assert_array_equal(found.min(0), [0, 0, 0])


def test_the_part_near_a_mask_keeps_its_place_and_ends_where_the_image_ends():
    mask = np.zeros(SLOPE.shape, bool)
    mask[4:6, 1:3, 2] = True
    part, inside = near_mask(Volume(SLOPE, np.diag([2.0, 2, 2, 1])), mask, 4.0)
    assert part.shape == inside.shape == (6, 5, 5)  # two voxels on each side; at the second axis there is one
    assert part.data[0, 0, 0] == 2 and part.affine[:3, 3].tolist() == [4, 0, 0]
    assert inside.sum() == mask.sum() and inside[2, 1, 2]
