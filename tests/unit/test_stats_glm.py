"""The regional model against closed formulas and simulation."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.errors import CounterwarpError
from counterwarp.stats.glm import fit_regions


def study(volumes: dict[str, np.ndarray], groups: list[str], **covariates):
    names = [f"sub-{i:03d}" for i in range(len(groups))]
    scans = pd.DataFrame({"scan": names, "group": groups, **covariates})
    rows = [
        {"scan": name, "region": region, "tissue": "GM", "volume_ml": value}
        for region, values in volumes.items()
        for name, value in zip(names, values, strict=True)
    ]
    return pd.DataFrame(rows), scans


def test_without_covariates_it_is_the_two_sample_t_test_by_hand():
    # Means 2 and 5, pooled variance (2 + 2) / 4 = 1: difference 3, t = 3 / sqrt(1/3 + 1/3) = 3.674, d = 3.
    volumes, scans = study({"a": np.array([1.0, 2, 3, 4, 5, 6])}, ["control"] * 3 + ["patient"] * 3)
    regions, adjusted = fit_regions(volumes, scans, [])
    row = regions.iloc[0]
    assert row["difference_ml"] == pytest.approx(3)
    assert row["t"] == pytest.approx(3 / np.sqrt(2 / 3))
    assert row["p"] == pytest.approx(0.0213117, abs=1e-6)
    assert row["effect"] == pytest.approx(3)
    # t(0.975, 4) = 2.776445 times the standard error sqrt(2/3).
    assert (row["low"], row["high"]) == pytest.approx((3 - 2.776445 * np.sqrt(2 / 3), 3 + 2.776445 * np.sqrt(2 / 3)))
    assert adjusted["volume_ml"].to_list() == [1, 2, 3, 4, 5, 6]


def test_q_is_benjamini_and_hochberg_by_hand():
    rng = np.random.default_rng(0)
    groups = ["control"] * 10 + ["patient"] * 10
    shifts = (3.0, 1.0, 0.5, 0.0)
    volumes, scans = study(
        {f"r{i}": rng.normal(size=20) + shift * (np.arange(20) > 9) for i, shift in enumerate(shifts)}, groups
    )
    regions, _ = fit_regions(volumes, scans, [])
    p = np.sort(regions["p"])
    by_hand = [min(p[j] * 4 / (j + 1) for j in range(i, 4)) for i in range(4)]
    assert np.sort(regions["q"]) == pytest.approx(by_hand)


def test_a_region_made_of_others_is_a_family_of_its_own():
    rng = np.random.default_rng(1)
    groups = ["control"] * 10 + ["patient"] * 10
    volumes, scans = study({f"r{side}": rng.normal(size=20) + 0.4 * (np.arange(20) > 9) for side in "LR"}, groups)
    both = volumes.groupby("scan", as_index=False)["volume_ml"].sum().assign(region="r", tissue="GM")
    alone, _ = fit_regions(volumes, scans, [])
    regions, _ = fit_regions(pd.concat([volumes, both]), scans, [], merged=["r"])
    assert regions["region"].tolist() == ["rL", "rR", "r"]
    # The two sides as without it, and one test needs no correction.
    pd.testing.assert_frame_equal(regions[:2], alone)
    assert regions["q"][2] == regions["p"][2]


def test_a_covariate_that_explains_all_is_taken_out():
    age = np.array([60.0, 70, 80, 65, 75, 85])
    noise = np.array([0.01, -0.02, 0.01, -0.01, 0.02, -0.01])
    patient = np.array([0, 0, 0, 1, 1, 1])
    volumes, scans = study(
        {"a": 10 - 0.1 * age + 2 * patient + noise},
        ["control"] * 3 + ["patient"] * 3,
        age=age,
        sex=["F", "M", "F", "M", "F", "M"],
    )
    regions, adjusted = fit_regions(volumes, scans, ["age", "sex"])
    assert regions["difference_ml"][0] == pytest.approx(2, abs=0.1)
    controls = adjusted.loc[adjusted["group"] == "control", "volume_ml"]
    assert controls.max() - controls.min() < 0.1
    # At the mean age of 72.5 years.
    assert controls.mean() == pytest.approx(10 - 7.25, abs=0.1)


def test_without_a_difference_one_in_twenty_is_found():
    rng = np.random.default_rng(3)
    n = 2000
    groups = ["control"] * 15 + ["patient"] * 15
    volumes, scans = study(
        {f"r{i}": rng.normal(size=30) for i in range(n)}, groups, age=rng.normal(70, 5, 30), sex=list("FM" * 15)
    )
    regions, _ = fit_regions(volumes, scans, ["age", "sex"])
    # Standard error of the share: sqrt(0.05 * 0.95 / 2000) = 0.005.
    assert (regions["p"] < 0.05).mean() == pytest.approx(0.05, abs=0.015)


def test_scans_without_volumes_are_left_out():
    volumes, scans = study({"a": np.arange(7.0) ** 2}, ["control"] * 4 + ["patient"] * 3)
    regions, _ = fit_regions(volumes[volumes["scan"] != "sub-000"], scans, [])
    assert regions["n"][0] == 6


def test_a_covariate_that_never_changes_is_left_out_and_said(caplog):
    volumes, scans = study({"a": np.arange(6.0) ** 2}, ["control"] * 3 + ["patient"] * 3, sex=["F"] * 6)
    fit_regions(volumes, scans.assign(field=3.0), ["field"])
    assert "field" in caplog.text


@pytest.mark.parametrize(
    ("covariates", "message"),
    [(["height"], "height is no column"), (["hole"], "hole has no value"), (["copy"], "rank")],
)
def test_impossible_models_are_refused_with_a_reason(covariates, message):
    groups = ["control"] * 3 + ["patient"] * 3
    volumes, scans = study({"a": np.arange(6.0)}, groups, hole=[1.0, None, 2, 3, 4, 5], copy=[0.0, 0, 0, 1, 1, 1])
    with pytest.raises(CounterwarpError, match=message):
        fit_regions(volumes, scans, covariates)


def test_one_group_only_is_refused():
    volumes, scans = study({"a": np.arange(6.0)}, ["control"] * 6)
    with pytest.raises(CounterwarpError, match="both groups"):
        fit_regions(volumes, scans, [])
