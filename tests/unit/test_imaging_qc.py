"""The numbers of the quality check, by hand."""

import json

import numpy as np
import pytest
from counterwarp.imaging.io import write_image
from counterwarp.imaging.qc import (
    SIMULATED_LITRES,
    correlation,
    dice,
    flags,
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
    good = {"mask_litres": 1.5, "template_correlation": 0.8, "touching_share": 0.0}
    assert flags(good, []) == []
    found = flags({"mask_litres": 0.3, "template_correlation": 0.2, "touching_share": 0.05}, [])
    assert found == [
        "brain mask of 0.30 l, expected 0.8 to 2.2 l",
        "5.0 % of the brain mask touches the border: brain cut off?",
        "template correlation 0.20, expected over 0.75",
    ]
    # The limits of volume are those of living adults; simulated heads are larger.
    assert [len(flags(good | {"mask_litres": litres}, [])) for litres in (0.79, 0.8, 2.2, 2.21)] == [1, 0, 0, 1]
    assert flags(good | {"mask_litres": 2.5}, [], SIMULATED_LITRES) == []


def test_of_the_warnings_those_of_left_and_right_and_of_contrast_are_flags():
    good = {"mask_litres": 1.5, "template_correlation": 0.8, "touching_share": 0.0}
    doubt = ["the axes are a guess; check left and right", "corners are brighter: contrast may be inverted"]
    assert flags(good, ["negative values down to -3 were set to 0", *doubt]) == doubt


def test_the_share_of_a_mask_on_the_border():
    mask = np.zeros((10, 10, 10), bool)
    mask[2:8, 2:8, 2:8] = True
    assert touching_share(mask) == 0
    mask[2:8, 2:8, 8:] = True  # two more slices, of which the last is on the border
    assert touching_share(mask) == pytest.approx(36 / (216 + 72))
    assert touching_share(np.zeros((4, 4, 4), bool)) == 0


WARNINGS = ["negative values down to -20 were set to 0", "header has neither qform nor sform; check left and right"]


def measured(folder, slices, simulated=False):
    """What is measured of a mask of so many slices of 0.05 l, well registered, with two warnings of its header."""
    affine = np.diag([5.0, 5, 5, 1])
    mask = np.zeros((24, 24, 60), np.float32)
    mask[2:22, 2:22, 1 : 1 + slices] = 1
    template = np.random.default_rng(0).random(mask.shape, np.float32)
    paths = {name: str(folder / f"{name}.nii.gz") for name in ("mask", "template", "inside")}
    for path, data in zip(paths.values(), (mask, template, np.ones_like(mask)), strict=True):
        write_image(data, affine, path, "scanner")
    for name, content in (("transform", {"WorldMatrix": np.eye(4).tolist()}), ("conform", {"Warnings": WARNINGS})):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return measure(
        paths["mask"],
        str(folder / "transform.json"),
        paths["template"],
        paths["template"],
        paths["inside"],
        str(folder / "conform.json"),
        paths["mask"] if simulated else None,
    )


def test_a_scan_is_measured_with_its_warnings_and_flagged_for_those_of_left_and_right(tmp_path):
    numbers = measured(tmp_path, 30)
    assert (numbers["mask_litres"], numbers["touching_share"], numbers["template_correlation"]) == (1.5, 0, 1)
    assert numbers["mask_dice"] is None and numbers["landmark_error_mm"] is None
    assert numbers["warnings"] == WARNINGS and numbers["flags"] == WARNINGS[1:]


@pytest.mark.parametrize(
    ("slices", "real", "simulated"),
    [
        (15, ["brain mask of 0.75 l, expected 0.8 to 2.2 l"], ["brain mask of 0.75 l, expected 0.9 to 2.7 l"]),
        (17, [], ["brain mask of 0.85 l, expected 0.9 to 2.7 l"]),
        (50, ["brain mask of 2.50 l, expected 0.8 to 2.2 l"], []),
        (56, ["brain mask of 2.80 l, expected 0.8 to 2.2 l"], ["brain mask of 2.80 l, expected 0.9 to 2.7 l"]),
    ],
)
def test_a_brain_too_small_or_too_large_is_flagged_by_the_limits_of_its_kind(tmp_path, slices, real, simulated):
    assert measured(tmp_path, slices)["flags"] == [*real, WARNINGS[1]]
    numbers = measured(tmp_path, slices, simulated=True)
    assert numbers["flags"] == [*simulated, WARNINGS[1]] and numbers["mask_dice"] == 1
