import numpy as np
import pytest
from counterwarp.errors import ScanError
from counterwarp.imaging.io import Volume
from counterwarp.imaging.orient import best_starts, tilt_degrees
from counterwarp.imaging.register import RIGID_MM, STAGES, check_plausible, estimate, near, rigid
from counterwarp.imaging.resample import resample
from scipy.spatial.transform import Rotation

EDGE = 4.0
GRID = np.diag([EDGE, EDGE, EDGE, 1.0])
GRID[:3, 3] = -110
SHAPE = (56, 56, 56)


def brainlike() -> Volume:
    """An egg with parts of different brightness, none of which is its own mirror image."""
    points = np.stack(np.meshgrid(*[EDGE * np.arange(n) - 110 for n in SHAPE], indexing="ij"), -1)

    def egg(centre, radii):
        return (((points - centre) / radii) ** 2).sum(-1) < 1

    data = 60.0 * egg((0, 0, 0), (65, 85, 60)) + 30 * egg((20, 30, 10), (25, 30, 30))
    data += 25 * egg((-10, -50, -25), (35, 25, 20)) - 50 * egg((15, -5, 15), (10, 30, 12))
    return Volume(np.maximum(data, 0).astype(np.float32), GRID)


def turn(degrees, shift=(0, 0, 0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def moved(volume: Volume, matrix: np.ndarray) -> Volume:
    """What lies at p in the volume lies at matrix p in the result."""
    return Volume(resample(volume.data, volume.affine, SHAPE, GRID, matrix), GRID)


def places(volume: Volume) -> np.ndarray:
    found = np.argwhere(volume.data > 0) @ GRID[:3, :3].T + GRID[:3, 3]
    return np.c_[found, np.ones(len(found))]


def error_mm(found: np.ndarray, true: np.ndarray, volume: Volume) -> float:
    return float(np.linalg.norm((places(volume) @ (found - true).T)[:, :3], axis=1).mean())


@pytest.mark.parametrize("degrees", [(0, 0, 0), (60, 0, 0), (0, -30, 0), (-30, 0, 60)])
def test_a_turn_of_the_grid_of_angles_is_found(degrees):
    fixed = brainlike()
    true = turn(degrees, (8, -6, 4))
    start = best_starts(fixed, near(fixed.data > 0, fixed), moved(fixed, true), 1)[0]
    assert tilt_degrees(np.linalg.inv(true) @ start) < 1
    assert error_mm(start, true, fixed) < 8  # a voxel of the search


@pytest.mark.parametrize("degrees", [(45, 0, 0), (-38, 0, 0), (0, 45, 0), (0, 0, -45), (25, -25, 25)])
def test_registration_finds_a_brain_that_is_turned_far(degrees):
    fixed = brainlike()
    true = turn(degrees, (10, 5, -8))
    found, _ = rigid(fixed, moved(fixed, true), near(fixed.data > 0, fixed), seed=1)
    assert error_mm(found, true, fixed) < RIGID_MM / 2


def test_a_brain_of_another_size_that_is_turned_is_found():
    fixed = brainlike()
    true = turn((40, 0, 0)) @ np.diag([0.85, 0.85, 0.85, 1])
    found, commands = estimate(fixed, moved(fixed, true), STAGES[12], 1)
    assert error_mm(found, true, fixed) < 2
    assert len(commands) == 2 and "Rigid" in commands[0] and "Affine" in commands[1]


def test_an_empty_image_has_no_place():
    fixed = brainlike()
    with pytest.raises(ScanError, match="no voxel above 0"):
        best_starts(fixed, fixed.data > 0, Volume(np.zeros(SHAPE, np.float32), GRID), 1)


def test_the_tilt_is_that_of_the_rotation_alone():
    assert tilt_degrees(turn((0, 40, 0)) @ np.diag([1.2, 0.9, 1, 1])) == pytest.approx(40, abs=6)
    assert tilt_degrees(turn((33, 0, 0)) * np.r_[1.3, 1.3, 1.3, 1][None]) == pytest.approx(33)


@pytest.mark.parametrize(
    ("world", "is_plausible"),
    [
        (turn((38, 5, 0)) @ np.diag([1.1, 0.95, 1.2, 1]), True),
        (turn((138, 0, 0)), False),
        (np.diag([0.5, 1, 1, 1.0]), False),
        (np.diag([1.2, 0.75, 1, 1.0]), False),  # 1.6 times as wide as long
        (np.diag([-1.0, 1, 1, 1]), False),
        (np.diag([1.6, 1.6, 1.6, 1]), False),
    ],
)
def test_a_map_that_no_brain_needs_fails_the_scan(world, is_plausible):
    if is_plausible:
        check_plausible(world, "a.nii.gz")
    else:
        with pytest.raises(ScanError, match=r"a.nii.gz: registered to the template by a turn of \d+ degrees"):
            check_plausible(world, "a.nii.gz")
