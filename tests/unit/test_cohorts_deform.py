"""Deformations against closed forms."""

import numpy as np
import pytest
from counterwarp.cohorts.deform import (
    Grid,
    divergence_of,
    exponential,
    field_of_divergence,
    flow,
    log_determinant,
    random_velocity,
)

GRID = Grid((20, 24, 22), 2.0, (-19.0, -23.0, -21.0))
INNER = (slice(5, -5),) * 3


def test_sample_of_a_linear_image_is_the_linear_function():
    x, y, z = GRID.points()
    places = np.array([[1.3, -4.0], [2.0, 7.7], [0.1, -8.2]])
    values = GRID.sample(2 * x - y + 3 * z, places)
    np.testing.assert_allclose(values, 2 * places[0] - places[1] + 3 * places[2], atol=1e-4)


def test_exponential_of_a_linear_velocity_is_a_known_scaling():
    points = GRID.points()
    displacement = exponential(GRID, 0.1 * points)
    # Four squarings of one small step: (1 + 0.1 / 16)^16, which is exp(0.1) but for 0.3 % of the displacement.
    np.testing.assert_allclose(displacement[:, *INNER], (1.00625**16 - 1) * points[:, *INNER], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(displacement[:, *INNER], (np.exp(0.1) - 1) * points[:, *INNER], rtol=5e-3)


def test_points_flow_along_a_linear_velocity_to_their_closed_form():
    """p' = r p with rates 0.3, -0.1, 0.2: after time 1.5 a point is at exp(1.5 r) p, volumes at exp(1.5 * 0.4)."""
    rates = np.array([0.3, -0.1, 0.2])
    velocity = rates[:, None, None, None] * GRID.points()
    points = np.array([[2.0, -3.0], [4.0, 1.0], [-5.0, 6.0]])
    moved, log_det = flow(GRID, velocity, points, 1.5, divergence_of(GRID, velocity))
    np.testing.assert_allclose(moved, np.exp(1.5 * rates)[:, None] * points, rtol=1e-3)
    np.testing.assert_allclose(log_det, 1.5 * 0.4, rtol=1e-4)
    back, none = flow(GRID, velocity, moved, -1.5)
    np.testing.assert_allclose(back, points, atol=1e-3)
    assert none is None
    np.testing.assert_array_equal(flow(GRID, velocity, points, 0.0)[0], points)


def test_log_determinant_of_a_scaling_is_three_times_the_log_of_its_factor():
    displacement = 0.2 * GRID.points()
    np.testing.assert_allclose(log_determinant(GRID, displacement), 3 * np.log(1.2), rtol=1e-4)


def test_log_determinant_refuses_a_fold():
    with pytest.raises(ValueError, match="folds"):
        log_determinant(GRID, -2.0 * GRID.points()[:1].repeat(3, 0))


def test_flow_and_its_reverse_cancel():
    rng = np.random.default_rng(0)
    velocity = random_velocity(GRID, np.ones(GRID.shape, bool), 1.5, 8.0, rng)
    there = exponential(GRID, velocity)
    back = GRID.move(exponential(GRID, -velocity), GRID.points() + there)
    assert np.abs(back - GRID.points())[:, *INNER].max() < 0.05


def test_field_of_divergence_has_the_divergence_asked_for():
    x, y, z = GRID.points()
    wanted = np.exp(-(x**2 + y**2 + z**2) / (2 * 7.0**2))
    wanted -= wanted.mean()
    field = field_of_divergence(GRID, wanted)
    found = sum(np.gradient(component, GRID.voxel_mm, axis=axis) for axis, component in enumerate(field))
    assert np.abs(found - wanted)[INNER].max() < 0.05


def test_random_velocity_has_its_amplitude_and_no_affine_part():
    rng = np.random.default_rng(1)
    inside = np.linalg.norm(GRID.points(), axis=0) < 15
    velocity = random_velocity(GRID, inside, 2.0, 6.0, rng)
    assert np.sqrt((velocity[:, inside] ** 2).sum(0).mean()) == pytest.approx(2.0, rel=1e-5)
    design = np.concatenate([GRID.points()[:, inside], np.ones((1, inside.sum()))]).T
    for component in velocity:
        assert np.abs(np.linalg.lstsq(design, component[inside], rcond=None)[0]).max() < 1e-5
