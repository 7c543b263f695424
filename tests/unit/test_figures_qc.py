"""Quality of scans: order, pictures, cards of those that failed."""

import numpy as np
from counterwarp.figures.qc import qc_table, save_pictures
from PIL import Image

RECORDS = {
    "sub-1": {
        "mask_litres": 1.4,
        "mask_dice": None,
        "grade": "good",
        "flags": [],
        "warnings": ["qform differs"],
    },
    "sub-2": {"mask_litres": 0.4, "mask_dice": 0.8, "grade": "bad", "flags": ["brain mask of 0.40 l"], "warnings": []},
    "sub-4": {"mask_litres": 1.3, "mask_dice": 0.9, "grade": "good", "flags": [], "warnings": []},
}


def test_failed_scans_come_first_then_flagged_ones():
    table = qc_table(RECORDS, {"sub-3": "conform"})
    assert table["scan"].to_list() == ["sub-3", "sub-2", "sub-1", "sub-4"]
    assert table["state"].to_list() == ["failed", "flagged", "passed", "passed"]
    assert table["flags"][0] == "failed in conform"
    assert table["warnings"][2] == "qform differs"


def test_of_the_flagged_scans_the_bad_ones_come_before_those_to_check():
    flagged = {"flags": ["a"], "warnings": []}
    table = qc_table({"sub-1": flagged | {"grade": "check"}, "sub-2": flagged | {"grade": "bad"}}, {})
    assert table["scan"].to_list() == ["sub-2", "sub-1"] and table["grade"].to_list() == ["bad", "check"]
    assert list(table) == ["scan", "state", "flags", "warnings", "grade"]


def test_the_picture_tells_grade_and_numbers():
    from counterwarp.figures.scan_check import scan_check
    from counterwarp.imaging.io import Volume

    body = np.zeros((20, 20, 20), np.float32)
    body[5:15, 5:15, 5:15] = 1
    volume = Volume(body, np.diag([2.0, 2, 2, 1]))
    numbers = {"grade": "check", "mask_litres": 1.5, "template_dice": 0.95, "template_correlation": 0.93}
    numbers |= {"misfit_mm": 3.6, "mask_dice": None, "landmark_error_mm": None, "flags": ["a flag"], "warnings": []}
    said = [text.get_text() for text in scan_check("sub-1", *[volume] * 5, numbers).texts]
    assert "sub-1: check" in said and "a flag" in said
    assert any("1.50 l" in text and "3.6 mm" in text and "Dice 0.95" in text for text in said)


def test_every_scan_may_fail():
    table = qc_table({}, {"sub-1": "strip"})
    assert table["state"].to_list() == ["failed"]


def test_pictures_are_copied_smaller_and_failed_scans_get_a_card(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (800, 2400, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "picture.png")
    table = qc_table(RECORDS, {"sub-3": "conform"})
    save_pictures(table, {scan: tmp_path / "picture.png" for scan in RECORDS}, tmp_path / "qc", most=1)
    found = sorted(str(path.relative_to(tmp_path / "qc")) for path in (tmp_path / "qc").rglob("*.jpg"))
    assert found == ["failed/sub-3.jpg", "flagged/sub-2.jpg", "passed/sub-1.jpg"]
    assert Image.open(tmp_path / "qc/passed/sub-1.jpg").size == (1000, 333)
