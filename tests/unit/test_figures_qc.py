"""Quality of scans: order, pictures, cards of those that failed."""

import numpy as np
from counterwarp.figures.qc import qc_table, save_pictures
from PIL import Image

RECORDS = {
    "sub-1": {"mask_litres": 1.4, "mask_dice": None, "flags": [], "warnings": ["qform and sform differ"]},
    "sub-2": {"mask_litres": 0.4, "mask_dice": 0.8, "flags": ["brain mask of 0.40 l"], "warnings": []},
    "sub-4": {"mask_litres": 1.3, "mask_dice": 0.9, "flags": [], "warnings": []},
}


def test_failed_scans_come_first_then_flagged_ones():
    table = qc_table(RECORDS, {"sub-3": "conform"})
    assert table["scan"].to_list() == ["sub-3", "sub-2", "sub-1", "sub-4"]
    assert table["state"].to_list() == ["failed", "flagged", "passed", "passed"]
    assert table["flags"][0] == "failed in conform"
    assert table["warnings"][2] == "qform and sform differ"


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
