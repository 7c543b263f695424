"""The numbers of the quality check, by hand."""

import numpy as np
import pytest
from counterwarp.imaging.qc import correlation, dice, flags, landmark_error, litres, same_order


def test_dice_of_two_overlapping_masks():
    a, b = np.zeros((2, 10), bool)
    a[:6] = True
    b[3:7] = True
    assert dice(a, b) == pytest.approx(2 * 3 / 10)
    assert dice(a, a) == 1


def test_litres_count_the_voxel_size_in_any_orientation():
    affine = np.array([[0, 0, -2.0, 0], [5, 0, 0, 0], [0, 10, 0, 0], [0, 0, 0, 1]])
    assert litres(np.ones((10, 10, 10), bool), affine) == pytest.approx(0.1)


def test_correlation_inside_the_mask_only():
    mask = np.array([True, True, True, False])
    a, b = np.array([1.0, 2, 3, 100]), np.array([2.0, 4, 6, -100])
    assert correlation(a, b, mask) == pytest.approx(1)
    assert correlation(a, -b, mask) == pytest.approx(-1)
    assert correlation(a, np.ones(4), mask) == 0


def test_landmarks_are_off_by_the_distance_in_the_scanner():
    """The template is twice as large as the head: an error of 2 mm in the template is one of 1 mm in the scanner."""
    true, estimated = np.diag([2.0, 2, 2, 1]), np.diag([2.0, 2, 2, 1])
    estimated[:3, 3] = [2, 0, 0]
    landmarks = np.random.default_rng(0).normal(0, 40, (9, 3))
    assert landmark_error(estimated, true, landmarks) == pytest.approx(1)
    assert landmark_error(true, true, landmarks) == 0


def test_a_mask_is_brought_to_the_order_of_the_conformed_scan():
    data = np.arange(24).reshape(2, 3, 4)
    affine = np.array([[0, 0, 1.0, 0], [-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    turned = same_order(data, affine)
    assert turned.shape == (4, 2, 3)
    assert turned[3, 0, 2] == data[1, 2, 3]  # the first axis ran from anterior to posterior


def test_flags_say_what_is_out_of_bounds():
    assert flags({"mask_litres": 1.5, "template_correlation": 0.8}) == []
    found = flags({"mask_litres": 0.3, "template_correlation": 0.2})
    assert len(found) == 2
    assert "0.30 l" in found[0]
    assert "0.20" in found[1]
