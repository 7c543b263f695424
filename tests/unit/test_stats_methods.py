"""Methods against truth: every measure by hand."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.stats.methods import agreement, compare_logits, compare_maps, region_changes, summarise


def test_maps_are_compared_scan_by_scan():
    truth = np.random.default_rng(0).normal(size=(3, 4, 4, 4))
    maps = np.stack([truth[0], -truth[1], np.zeros((4, 4, 4))])
    table = compare_maps(maps, truth, np.ones((4, 4, 4), dtype=bool), [0, 1, 2])
    assert table["ncc"][0] == pytest.approx(1)
    assert table["ncc"][1] == pytest.approx(-1)
    assert table["ncc_abs"][1] == pytest.approx(1)
    assert np.isnan(table["ncc"][2])


def test_a_shift_towards_the_other_group_is_positive():
    logits = pd.DataFrame({"row": [0, 1], "raw": [-2.0, 3], "simulated": [1.0, 1], "cycled": [-1.5, 3.25]})
    table = compare_logits(logits, np.array([False, True]))
    assert table["logit_shift"].to_list() == [3, 2]
    assert table["changes_sides"].to_list() == [1, 0]
    assert table["cycle_logit_error"].to_list() == [0.5, 0.25]


def test_signs_are_judged_in_affected_regions_only():
    parcellation = np.array([1, 1, 2, 2, 3, 3])
    regions = pd.DataFrame(
        {"index": [1, 2, 3], "name": ["ventricle", "hippocampus", "insula"], "tissue": "GM", "affected": [1, -1, 0]}
    )
    group_map = np.array([0.2, 0.4, 0.1, 0.1, -0.5, 0.5])
    truth = np.array([0.5, 0.5, -0.4, -0.2, 0, 0])
    table = region_changes(group_map, truth, parcellation, regions).set_index("region")
    assert table["mean"].to_list() == pytest.approx([0.3, 0.1, 0.0])
    assert table["true_mean"].to_list() == pytest.approx([0.5, -0.3, 0.0])
    assert table.loc["ventricle", "sign_correct"] == 1
    assert table.loc["hippocampus", "sign_correct"] == 0
    assert np.isnan(table.loc["insula", "sign_correct"])


def test_a_region_outside_the_image_has_no_sign():
    regions = pd.DataFrame({"index": [9], "name": ["x"], "tissue": "GM", "affected": [1]})
    table = region_changes(np.ones(3), np.ones(3), np.ones(3), regions)
    assert np.isnan(table["mean"][0])
    assert table["sign_correct"][0] == 0


def test_seeds_are_summarised_by_their_means():
    subjects = pd.DataFrame(
        {
            "method": "cycle",
            "seed": [1, 1, 1, 2, 2, 2],
            "scan": list("abcabc"),
            "ncc": [0.1, 0.2, 0.6, 0.5, 0.5, np.nan],
        }
    )
    groups = pd.DataFrame({"method": "cycle", "seed": [1, 2], "metric": "ncc", "value": [0.7, 0.9], "n": 3})
    table = summarise(subjects, groups).set_index(["seed", "level", "metric"])
    assert table.loc[("1", "subject", "ncc"), ["mean", "n"]].to_list() == pytest.approx([0.3, 3])
    assert table.loc[("1", "subject", "ncc"), "sd"] == pytest.approx(np.sqrt((0.04 + 0.01 + 0.09) / 2))
    assert table.loc[("1", "subject", "ncc_median"), "mean"] == pytest.approx(0.2)
    # The undefined correlation of seed 2 is not counted.
    assert table.loc[("2", "subject", "ncc"), ["mean", "n"]].to_list() == pytest.approx([0.5, 2])
    assert table.loc[("all", "subject", "ncc"), ["mean", "n"]].to_list() == pytest.approx([0.4, 2])
    assert table.loc[("all", "group", "ncc"), "mean"] == pytest.approx(0.8)
    assert table.loc[("all", "group", "ncc"), "sd"] == pytest.approx(np.sqrt(0.02))


def test_agreement_of_regions_by_hand():
    true = np.array([0.0, 0.1, 0.2, -0.1, np.nan])
    slope, r = agreement(true, 0.5 * true + 0.03)
    assert (slope, r) == (pytest.approx(0.5), pytest.approx(1))
    # Means 0.05; centred true -.05, .05, .15, -.15 and predicted 1, -1, 1, -1: slope (-.05 -.05 +.15 +.15) / .05 = 4.
    slope, r = agreement(true, np.array([1.0, -1, 1, -1, 7]))
    assert (slope, r) == (pytest.approx(4), pytest.approx(0.2 / (0.05 * 4) ** 0.5))
    assert np.isnan(agreement(np.zeros(3), np.arange(3.0))).all()
