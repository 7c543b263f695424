"""Normalised cross-correlation: numbers by hand, and what is undefined."""

import numpy as np
import pytest
from counterwarp.stats.ncc import ncc


def test_four_voxels_by_hand():
    # Centred: (-1.5, -0.5, 0.5, 1.5) and (-1, -1, 0, 2); products 1.5 + 0.5 + 0 + 3 = 5; squares 5 and 6.
    assert ncc(np.array([1.0, 2, 3, 4]), np.array([1.0, 1, 2, 4])) == pytest.approx(5 / np.sqrt(30))


def test_scale_and_offset_do_not_count_but_the_sign_does():
    values = np.random.default_rng(0).normal(size=(3, 4, 5))
    assert ncc(values, 7 * values + 3) == pytest.approx(1)
    assert ncc(values, -0.01 * values) == pytest.approx(-1)


def test_only_the_mask_counts():
    first = np.array([[1.0, 2], [3, 100]])
    second = np.array([[1.0, 2], [3, -100]])
    mask = np.array([[True, True], [True, False]])
    assert ncc(first, second, mask) == pytest.approx(1)
    assert ncc(first, second) < 0


def test_a_constant_map_has_no_correlation():
    ramp = np.arange(4.0)
    assert np.isnan(ncc(np.full(4, 0.1), ramp))
    assert np.isnan(ncc(ramp, np.zeros(4)))
    assert np.isnan(ncc(np.array([1, np.nan, 2, 3]), ramp))


def test_a_large_offset_is_not_taken_for_constant():
    ramp = np.arange(4.0)
    assert ncc(1e6 + ramp, ramp) == pytest.approx(1)


def test_float16_does_not_overflow():
    values = np.linspace(-300, 300, 5000, dtype=np.float16)
    assert ncc(values, values) == pytest.approx(1)


def test_shapes_must_agree_and_the_mask_must_hold_voxels():
    with pytest.raises(ValueError, match=r"\(4,\), \(3,\)"):
        ncc(np.zeros(4), np.zeros(3))
    with pytest.raises(ValueError, match="no voxel"):
        ncc(np.zeros(4), np.zeros(4), np.zeros(4, dtype=bool))
