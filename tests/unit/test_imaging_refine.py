"""How far the second registration finds a brain from its best place: the fault that was made."""

import numpy as np
import pytest
from counterwarp.imaging.atlas import mni152
from counterwarp.imaging.io import Volume
from counterwarp.imaging.qc import landmark_error
from counterwarp.imaging.refine import Ground, correlation, fit
from scipy.spatial.transform import Rotation


@pytest.fixture(scope="module")
def template():
    atlas = mni152(4.0)
    landmarks = np.argwhere(atlas.mask) @ atlas.affine[:3, :3].T + atlas.affine[:3, 3]
    return Volume(atlas.brain, atlas.affine), atlas.mask, landmarks


def fault(landmarks, linear, shift=(0.0, 0.0, 0.0)):
    """A linear map about the centre of the template's brain."""
    world, centre = np.eye(4), landmarks.mean(0)
    world[:3, :3], world[:3, 3] = linear, centre - linear @ centre + shift
    return world


def test_correlation_inside_the_mask_only():
    mask = np.array([True, True, True, False])
    a, b = np.array([1.0, 2, 3, 100]), np.array([2.0, 4, 6, -100])
    assert correlation(a, b, mask) == pytest.approx(1)
    assert correlation(a, -b, mask) == pytest.approx(-1)
    assert correlation(a, np.ones(4), mask) == 0
    assert correlation(a, a) == pytest.approx(1)


def test_the_template_lies_on_itself(template):
    brain, mask, _ = template
    found = fit(Ground(brain, mask), brain, mask, np.eye(4))
    assert found["template_dice"] == 1 and found["beyond_share"] == 0
    assert found["template_correlation"] == pytest.approx(1) and found["misfit_mm"] < 0.05


@pytest.mark.parametrize(
    ("linear", "shift"),
    [
        (np.eye(3), (5.0, 0, 0)),
        (np.eye(3), (0, -8.0, 6.0)),
        (Rotation.from_euler("x", 8, degrees=True).as_matrix(), (0, 0, 0)),
        (1.1 * np.eye(3), (0, 0, 0)),
        (np.diag([1, 0.88, 1.0]), (2.0, 0, 0)),
    ],
)
def test_the_misfit_is_the_size_of_the_fault(template, linear, shift):
    brain, mask, landmarks = template
    world = fault(landmarks, linear, shift)
    size = landmark_error(np.linalg.inv(world), np.eye(4), landmarks)
    found = fit(Ground(brain, mask), brain, mask, world)
    assert size > 4
    assert found["misfit_mm"] == pytest.approx(size, rel=0.1)
    assert found["template_correlation"] < 0.95


def test_what_is_away_from_the_template_s_brain_counts_even_beyond_its_grid(template):
    """A slab as large as a quarter of the brain, most of it under the template's lowest slice."""
    brain, mask, _ = template
    below = 8
    affine = brain.affine.copy()
    affine[2, 3] -= below * 4.0
    padded = np.pad(mask, ((0, 0), (0, 0), (below, 0)))
    padded[10:30, 10:30, :5] = True
    scan = Volume(np.pad(brain.data, ((0, 0), (0, 0), (below, 0))), affine)
    found = fit(Ground(brain, mask), scan, padded, np.eye(4))
    assert found["beyond_share"] == pytest.approx(20 * 20 * 5 / padded.sum(), abs=0.01)


def test_no_brain_at_all_is_a_correlation_of_nothing(template):
    brain, mask, _ = template
    away = np.eye(4)
    away[:3, 3] = 1000
    found = fit(Ground(brain, mask), brain, mask, away)
    assert found == {"template_dice": 0, "beyond_share": 0, "template_correlation": 0, "misfit_mm": 0}
