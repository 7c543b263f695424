"""The numbers of the quality check, by hand."""

import json

import numpy as np
import pytest
from counterwarp.imaging.io import write_image
from counterwarp.imaging.qc import (
    SIMULATED_LITRES,
    dice,
    flags,
    grade,
    landmark_error,
    litres,
    measure,
    same_order,
    touching_share,
)


def test_dice_of_two_overlapping_masks():
    a, b = np.zeros((2, 10), bool)
    a[:6] = True
    b[3:7] = True
    assert dice(a, b) == pytest.approx(2 * 3 / 10)
    assert dice(a, a) == 1


def test_litres_count_the_voxel_size_in_any_orientation():
    affine = np.array([[0, 0, -2.0, 0], [5, 0, 0, 0], [0, 10, 0, 0], [0, 0, 0, 1]])
    assert litres(np.ones((10, 10, 10), bool), affine) == pytest.approx(0.1)


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


GOOD = {
    "mask_litres": 1.5,
    "touching_share": 0.0,
    "outside_signal": 0.15,
    "cut_share": 0.0,
    "loose_share": 0.1,
    "beyond_share": 0.01,
    "template_dice": 0.95,
    "template_correlation": 0.93,
    "misfit_mm": 1.0,
}
# Of each number: the limit of a flag, that of a bad scan if it has one, a step beyond them, and the sentence.
FAULTS = {
    "mask_litres": (1.9, 2.2, 0.01, "brain mask of 1.91 l, expected 1.0 to 1.9 l"),
    "touching_share": (0.002, 0.02, 0.001, "0.3 % of the brain mask touches the border: brain cut off?"),
    "outside_signal": (
        0.35,
        0.7,
        0.01,
        "just outside the mask 0.36 of the brain's signal, expected under 0.35: mask too small, too large or shifted?",
    ),
    "cut_share": (0.05, 0.15, 0.01, "6% of the mask's surface has brain outside, expected under 5%: brain left out?"),
    "loose_share": (0.3, None, 0.01, "31% of the mask's surface is dark inside, expected under 30%: mask too large?"),
    "beyond_share": (
        0.06,
        0.15,
        0.01,
        "7% of the mask is away from the template's brain, expected under 6%: more than the brain?",
    ),
    "template_dice": (0.88, 0.8, -0.01, "Dice with the template's brain 0.87, expected over 0.88"),
    "template_correlation": (0.86, 0.75, -0.01, "template correlation 0.85, expected over 0.86"),
    "misfit_mm": (
        3.5,
        8.0,
        0.1,
        "a better place on the template is 3.6 mm away, expected under 3.5 mm: misregistered?",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_number_beyond_its_limit_is_a_flag_and_far_beyond_it_the_scan_is_bad(name):
    limit, gross, step, sentence = FAULTS[name]
    assert flags(GOOD | {name: limit}, []) == [] and grade(GOOD | {name: limit}, []) == "good"
    beyond = GOOD | {name: limit + step}
    assert flags(beyond, []) == [sentence] and grade(beyond, [sentence]) == "check"
    if gross is None:
        assert grade(GOOD | {name: 1.0}, [sentence]) == "check"
    else:
        assert grade(GOOD | {name: gross + step}, [sentence]) == "bad"


def test_two_flags_make_a_scan_bad():
    numbers = GOOD | {"mask_litres": 1.95, "misfit_mm": 4.0}
    assert len(flags(numbers, [])) == 2 and grade(numbers, flags(numbers, [])) == "bad"


def test_a_brain_too_small_is_flagged_and_simulated_ones_have_their_own_limits():
    assert flags(GOOD | {"mask_litres": 0.95}, []) == ["brain mask of 0.95 l, expected 1.0 to 1.9 l"]
    for volume, flagged in ((0.89, 1), (0.95, 0), (2.5, 0), (2.71, 1)):
        numbers = GOOD | {"mask_litres": volume}
        found = flags(numbers, [], SIMULATED_LITRES)
        assert len(found) == flagged
        assert grade(numbers, found, SIMULATED_LITRES) == ("bad" if flagged else "good")


def test_of_the_warnings_those_of_left_and_right_and_of_contrast_are_flags():
    doubt = ["the axes are a guess; check left and right", "corners are brighter: contrast may be inverted"]
    assert flags(GOOD, ["negative values down to -3 were set to 0", *doubt]) == doubt


def test_the_share_of_a_mask_on_the_border():
    mask = np.zeros((10, 10, 10), bool)
    mask[2:8, 2:8, 2:8] = True
    assert touching_share(mask) == 0
    mask[2:8, 2:8, 8:] = True  # two more slices, of which the last is on the border
    assert touching_share(mask) == pytest.approx(36 / (216 + 72))
    assert touching_share(np.zeros((4, 4, 4), bool)) == 0


WARNINGS = ["negative values down to -20 were set to 0", "header has neither qform nor sform; check left and right"]


def measured(folder, scale, simulated=False, off_mm=0.0):
    """What is measured of a drawn brain of so many times 2 l on its own template, with two warnings of its header."""
    edge = 4 * scale ** (1 / 3)
    places = np.stack(np.meshgrid(*[np.arange(48) - 23.5] * 3, indexing="ij"), -1) * 4
    # An ellipsoid of 2 l that is not its own mirror image along any axis, with an inner structure.
    away = np.linalg.norm(places / [70, 90, 75.8], axis=-1)
    brain = away < 1
    image = (brain * (100 - 50 * (np.linalg.norm(places - [20, 25, 15], axis=-1) < 25))).astype(np.float32)
    grids = {"scan": edge, "mask": edge, "template": 4.0, "inside": 4.0}
    paths = {name: str(folder / f"{name}.nii.gz") for name in grids}
    for (name, path), data in zip(paths.items(), (image, brain, image, brain), strict=True):
        write_image(data, np.diag([grids[name]] * 3 + [1.0]), path, "scanner")
    world = np.diag([4 / edge] * 3 + [1.0])
    world[0, 3] = off_mm
    (folder / "transform.json").write_text(json.dumps({"WorldMatrix": world.tolist()}))
    (folder / "conform.json").write_text(json.dumps({"Warnings": WARNINGS}))
    files = [paths["scan"], paths["mask"], folder / "transform.json", paths["template"], paths["inside"]]
    return measure(*map(str, files), str(folder / "conform.json"), paths["mask"] if simulated else None)


def test_a_good_scan_is_flagged_for_its_warnings_of_left_and_right_alone(tmp_path):
    numbers = measured(tmp_path, 0.75)
    assert numbers["mask_litres"] == pytest.approx(1.5, abs=0.02) and numbers["touching_share"] == 0
    assert numbers["template_dice"] > 0.98 and numbers["misfit_mm"] < 1
    assert numbers["mask_dice"] is None and numbers["landmark_error_mm"] is None
    assert numbers["warnings"] == WARNINGS and numbers["flags"] == WARNINGS[1:] and numbers["grade"] == "check"


def test_a_map_that_is_off_is_flagged_by_as_much(tmp_path):
    numbers = measured(tmp_path, 0.75, off_mm=6.0)
    assert numbers["misfit_mm"] == pytest.approx(6, abs=0.6)
    assert any("misregistered?" in flag for flag in numbers["flags"]) and numbers["grade"] == "bad"


@pytest.mark.parametrize(("scale", "real", "simulated"), [(0.475, 1, 0), (0.75, 0, 0), (1.25, 1, 0), (1.5, 1, 1)])
def test_a_brain_too_small_or_too_large_is_flagged_by_the_limits_of_its_kind(tmp_path, scale, real, simulated):
    assert len(measured(tmp_path, scale)["flags"]) == 1 + real
    numbers = measured(tmp_path, scale, simulated=True)
    assert len(numbers["flags"]) == 1 + simulated and numbers["mask_dice"] == 1
