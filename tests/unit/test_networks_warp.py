"""The warp, its change of volume and its inverse, on deformations that are known by formula."""

import math

import pytest
import torch
from counterwarp.networks.warp import (
    SMALLEST_DETERMINANT,
    folded,
    identity,
    integrate,
    invert,
    jacobian_determinant,
    resize,
    tissue_log_change,
    to_source_frame,
    warp,
)

GRIDS = [(12, 9), (8, 11, 9)]


def scaling(grid, factors):
    """The displacement of p -> centre + factors * (p - centre), and the distance of each voxel from the centre."""
    points = identity(torch.Size(grid), torch.zeros(1))
    shape = (1, -1, *[1] * len(grid))
    centre = torch.tensor([(n - 1) / 2 for n in grid]).reshape(shape)
    displacement = (torch.tensor(factors).reshape(shape) - 1) * (points - centre)
    return displacement, (points - centre).square().sum(1).sqrt()


def smooth(grid, amplitude, seed):
    """A smooth random displacement that vanishes at the border."""
    generator = torch.Generator().manual_seed(seed)
    unit = identity(torch.Size(grid), torch.zeros(1)) / (torch.tensor(grid).reshape(1, -1, *[1] * len(grid)) - 1)
    bump = torch.sin(math.pi * unit).prod(1, keepdim=True)
    return bump * amplitude * (torch.rand(1, len(grid), *[1] * len(grid), generator=generator) * 2 - 1)


@pytest.mark.parametrize("grid", GRIDS)
def test_no_displacement_changes_nothing(grid):
    images = torch.randn(2, 1, *grid)
    nothing = torch.zeros(2, len(grid), *grid)
    torch.testing.assert_close(warp(images, nothing), images, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(jacobian_determinant(nothing), torch.ones(2, *grid))
    change, inside_out = tissue_log_change(nothing)
    assert not change.any()
    assert not inside_out.any()


@pytest.mark.parametrize("grid", GRIDS)
def test_a_shift_by_whole_voxels_along_any_axis_is_a_roll_with_the_border_continued(grid):
    images = torch.randn(1, 1, *grid)
    for axis, n in enumerate(grid):
        displacement = torch.zeros(1, len(grid), *grid)
        displacement[:, axis] = 2
        moved = warp(images, displacement)
        expected = images.roll(-2, 2 + axis)
        inside = expected.narrow(2 + axis, 0, n - 2)
        torch.testing.assert_close(moved.narrow(2 + axis, 0, n - 2), inside, atol=1e-4, rtol=1e-4)
        border = images.narrow(2 + axis, n - 1, 1)
        torch.testing.assert_close(moved.narrow(2 + axis, n - 2, 2), border.repeat_interleave(2, 2 + axis))


@pytest.mark.parametrize("grid", GRIDS)
def test_beyond_the_border_lies_the_fill(grid):
    images = torch.randn(1, 1, *grid)
    displacement = torch.zeros(1, len(grid), *grid)
    displacement[:, 0] = -1.5
    moved = warp(images, displacement, fill=0.25)
    # Half of what is sampled at -0.5 lies outside.
    torch.testing.assert_close(moved[0, 0, 1], (images[0, 0, 0] + 0.25) / 2, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(moved[0, 0, 0], torch.full(grid[1:], 0.25))
    torch.testing.assert_close(moved[0, 0, 2:], warp(images, displacement)[0, 0, 2:], atol=1e-4, rtol=1e-4)


def test_half_a_voxel_is_the_mean_of_two():
    image = torch.tensor([[1.0, 3.0, 11.0], [1.0, 3.0, 11.0]])[None, None]
    displacement = torch.zeros(1, 2, 2, 3)
    displacement[:, 1] = 0.5
    expected = torch.tensor([[2.0, 7.0, 11.0], [2.0, 7.0, 11.0]])
    torch.testing.assert_close(warp(image, displacement)[0, 0], expected)


@pytest.mark.parametrize(("grid", "factors"), [((12, 9), (1.5, 0.5)), ((8, 11, 9), (1.25, 0.5, 2.0))])
def test_the_determinant_of_a_scaling_is_the_product_of_its_factors(grid, factors):
    displacement, _ = scaling(grid, factors)
    torch.testing.assert_close(jacobian_determinant(displacement), torch.full((1, *grid), math.prod(factors)))
    change, inside_out = tissue_log_change(displacement)
    torch.testing.assert_close(change, torch.full((1, *grid), -math.log(math.prod(factors))))
    assert not inside_out.any()


def test_shear_and_rotation_keep_the_volume():
    points = identity(torch.Size((6, 7, 8)), torch.zeros(1))
    shear = torch.stack([0.7 * points[:, 1], torch.zeros_like(points[:, 0]), -0.4 * points[:, 0]], 1)
    torch.testing.assert_close(jacobian_determinant(shear), torch.ones(1, 6, 7, 8), atol=1e-4, rtol=1e-4)
    cosine, sine = math.cos(0.6), math.sin(0.6)
    x, y, z = points.unbind(1)
    turn = torch.stack([(cosine - 1) * x - sine * y, sine * x + (cosine - 1) * y, 0 * z], 1)
    torch.testing.assert_close(jacobian_determinant(turn), torch.ones(1, 6, 7, 8), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("matrix", "determinant"),
    [
        ([[2, 1], [3, 4]], 5),
        # 2 (3 * 4 - 1 * 5) - 1 (4 * 4 - 1 * 2) + 3 (4 * 5 - 3 * 2)
        ([[2, 1, 3], [4, 3, 1], [2, 5, 4]], 42),
    ],
)
def test_the_determinant_of_a_linear_map_is_that_of_its_matrix(matrix, determinant):
    matrix = torch.tensor(matrix, dtype=torch.float32)
    points = identity(torch.Size([5] * len(matrix)), torch.zeros(1))
    displacement = torch.einsum("ij,bj...->bi...", matrix - torch.eye(len(matrix)), points)
    found = jacobian_determinant(displacement)
    torch.testing.assert_close(found, torch.full_like(found, determinant), atol=1e-3, rtol=0)
    assert not folded(displacement).any()


def test_a_mirrored_axis_is_counted_as_folded_and_stays_finite():
    displacement, _ = scaling((8, 9), (-1.0, 1.0))
    change, inside_out = tissue_log_change(displacement)
    assert inside_out.all()
    torch.testing.assert_close(change, torch.full((1, 8, 9), -math.log(SMALLEST_DETERMINANT)))


def test_a_sphere_that_grows_has_its_tissue_expanded_by_the_known_factor():
    """The whole meaning of a map: a ball is made 1.25 times as wide; the map must say + log 1.25^3 inside it."""
    grid, factor = (32, 36, 30), 1.25
    # Sampling nearer to the centre makes what is there larger; far away nothing moves.
    displacement, radius = scaling(grid, (1 / factor,) * 3)
    displacement = displacement * torch.clamp((13 - radius) / 3, 0, 1)[:, None]
    ball = (radius < 6).float()[:, None]
    grown = warp(ball, displacement)
    assert grown.sum().item() / ball.sum().item() == pytest.approx(factor**3, rel=0.05)
    change, inside_out = tissue_log_change(displacement)
    inside = radius[0] < 6 * factor - 1
    torch.testing.assert_close(change[0][inside], torch.full_like(change[0][inside], 3 * math.log(factor)))
    assert not inside_out.any()
    # In the source's frame the ball has radius 6, and what happens to it is the same.
    of_source = to_source_frame(change, displacement)[0]
    core = radius[0] < 5
    torch.testing.assert_close(
        of_source[core], torch.full_like(of_source[core], 3 * math.log(factor)), atol=1e-3, rtol=0
    )
    # Counted there, the change explains how much volume the ball gains: sum of (det - 1) over its voxels.
    gained = (of_source.exp() * ball[0, 0]).sum() / ball.sum()
    assert gained.item() == pytest.approx(factor**3, rel=0.05)


@pytest.mark.parametrize("grid", GRIDS)
def test_the_inverse_undoes_the_displacement(grid):
    displacement = smooth(grid, 1.5, seed=3)
    inverse = invert(displacement)
    composed = inverse + warp(displacement, inverse)
    assert displacement.abs().max() > 0.5
    assert composed.abs().max() < 1e-3


def test_a_landmark_is_carried_to_where_it_came_from():
    """What is marked at p in the warped frame must appear in the source at p + displacement(p)."""
    displacement = torch.zeros(1, 2, 9, 9)
    displacement[:, 0], displacement[:, 1] = 2, -1
    values = torch.zeros(1, 9, 9)
    values[0, 3, 5] = 1
    assert to_source_frame(values, displacement)[0, 5, 4].item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("grid", "rates"), [((21, 17), (0.2, -0.1)), ((15, 17, 13), (0.2, -0.1, 0.1))])
def test_the_flow_of_a_linear_velocity_is_the_exponential_scaling(grid, rates):
    velocity, _ = scaling(grid, [1 + rate for rate in rates])
    expected, distance = scaling(grid, [math.exp(rate) for rate in rates])
    inside = (distance < 4).expand_as(expected[:, 0])
    # 2^5 steps of Euler: (1 + r/32)^32 falls short of exp(r) by r^2/64 of it.
    for axis in range(len(grid)):
        torch.testing.assert_close(integrate(velocity)[:, axis][inside], expected[:, axis][inside], atol=0.005, rtol=0)


def test_a_displacement_on_a_coarser_grid_is_the_same_motion_in_larger_voxels():
    """A linear displacement in millimetres stays one; voxels of 2 and 3 mm hold a half and a third of it."""
    fine, coarse = (12, 18), (6, 6)
    rate = 0.1
    # Voxel i of a grid whose voxels are s fine ones wide has its centre at s (i + 1/2) - 1/2 of those.
    along = [(torch.arange(n) + 0.5) * size for n, size in zip(coarse, (2, 3), strict=True)]
    field = torch.stack(torch.meshgrid(*(rate * a / s for a, s in zip(along, (2, 3), strict=True)), indexing="ij"))
    expected = torch.stack(torch.meshgrid(*(rate * (torch.arange(n) + 0.5) for n in fine), indexing="ij"))
    moved = resize(field[None], torch.Size(fine))[0]
    # Beyond the outermost centres nothing is extrapolated.
    torch.testing.assert_close(moved[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1])
    torch.testing.assert_close(resize(field[None], torch.Size(coarse))[0], field)


@pytest.mark.parametrize("grid", [(24, 20), (16, 18, 14)])
def test_the_flow_of_the_opposite_velocity_is_the_inverse_and_neither_folds(grid):
    velocity = smooth_waves(grid, 2.5)
    there, back = integrate(velocity), integrate(-velocity)
    round_trip = there + warp(back, there)
    assert there.abs().max() > 1
    assert round_trip.abs().max() < 0.05
    assert not folded(there).any()
    assert not folded(back).any()


def smooth_waves(grid, amplitude):
    """One wave along each axis, with no displacement at the border."""
    unit = identity(torch.Size(grid), torch.zeros(1)) / (torch.tensor(grid).reshape(1, -1, *[1] * len(grid)) - 1)
    return amplitude * torch.sin(math.pi * unit).prod(1, keepdim=True) * torch.cos(math.pi * unit.roll(1, 1))


@pytest.mark.parametrize("axes", [2, 3])
def test_a_fold_between_two_voxels_is_counted_though_central_differences_miss_it(axes):
    displacement = torch.zeros(1, axes, *[7] * axes)
    # One voxel moves past its neighbour along the first axis.
    displacement[(0, 0, *[3] * axes)] = 1.5
    assert (jacobian_determinant(displacement)[(0, *[3] * axes)]) == 1
    bad = folded(displacement)
    assert bad[(0, *[3] * axes)]
    assert bad[(0, 4, *[3] * (axes - 1))]
    assert not bad[0, :2].any()
    assert not bad[0, 6].any()


def test_a_cube_may_fold_in_its_middle_alone():
    """Found by random search: every corner of the cube is the right way round, the tetrahedron between them is not."""
    displacement = torch.zeros(1, 3, 4, 4, 4)
    displacement[0, :, 1:3, 1:3, 1:3] = torch.tensor(
        [
            [[[0.0, -0.4], [0.2, 0.5]], [[0.1, 0.3], [0.2, 0.5]]],
            [[[0.4, 0.1], [0.3, 0.3]], [[0.2, 0.5], [0.1, 0.0]]],
            [[[0.5, 0.1], [0.3, -0.4]], [[0.1, -0.5], [0.6, -0.1]]],
        ]
    )
    assert folded(displacement).sum() == 1
    assert folded(displacement)[0, 1, 1, 1]


def test_what_does_not_fold_is_not_counted():
    for grid in GRIDS:
        displacement, _ = scaling(grid, [0.5] * len(grid))
        assert not folded(displacement).any()
        shear = torch.zeros(1, len(grid), *grid)
        shear[:, 0] = 1.7 * identity(torch.Size(grid), torch.zeros(1))[:, 1]
        assert not folded(shear).any()
