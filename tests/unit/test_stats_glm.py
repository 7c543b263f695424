"""The regional model against closed formulas and simulation."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.errors import CounterwarpError
from counterwarp.stats.formula import design
from counterwarp.stats.glm import check_residuals, effect_interval, fit_regions
from scipy import stats


def study(volumes: dict[str, np.ndarray], groups: list[str], **covariates):
    names = [f"sub-{i:03d}" for i in range(len(groups))]
    scans = pd.DataFrame({"scan": names, "group": groups, **covariates})
    rows = [
        {"scan": name, "region": region, "tissue": "GM", "volume_ml": value}
        for region, values in volumes.items()
        for name, value in zip(names, values, strict=True)
    ]
    return pd.DataFrame(rows), scans


def share_below(t, df, noncentrality):
    """P((Z + noncentrality) / sqrt(V / df) < t) by its definition: over V, chi-squared, and a normal Z."""
    v = stats.chi2.ppf((np.arange(100_000) + 0.5) / 100_000, df)
    return stats.norm.cdf(t * np.sqrt(v / df) - noncentrality).mean()


def test_without_covariates_it_is_the_two_sample_t_test_by_hand():
    # Means 2 and 5, pooled variance (2 + 2) / 4 = 1: difference 3, t = 3 / sqrt(1/3 + 1/3) = 3.674, d = 3.
    volumes, scans = study({"a": np.array([1.0, 2, 3, 4, 5, 6])}, ["control"] * 3 + ["patient"] * 3)
    regions, adjusted, _ = fit_regions(volumes, scans, "group")
    row = regions.iloc[0]
    assert row["difference_ml"] == pytest.approx(3)
    assert row["t"] == pytest.approx(3 / np.sqrt(2 / 3))
    assert row["p"] == pytest.approx(0.0213117, abs=1e-6)
    assert row["effect"] == pytest.approx(3)
    # Where 3.674 is at 97.5 and 2.5 % of the noncentral t of 4 degrees of freedom, times sqrt(2/3).
    assert share_below(row["t"], 4, row["low"] / np.sqrt(2 / 3)) == pytest.approx(0.975, abs=1e-4)
    assert share_below(row["t"], 4, row["high"] / np.sqrt(2 / 3)) == pytest.approx(0.025, abs=1e-4)
    assert adjusted["volume_ml"].to_list() == [1, 2, 3, 4, 5, 6]


def test_q_is_benjamini_and_hochberg_by_hand():
    rng = np.random.default_rng(0)
    groups = ["control"] * 10 + ["patient"] * 10
    shifts = (3.0, 1.0, 0.5, 0.0)
    volumes, scans = study(
        {f"r{i}": rng.normal(size=20) + shift * (np.arange(20) > 9) for i, shift in enumerate(shifts)}, groups
    )
    regions, *_ = fit_regions(volumes, scans, "group")
    p = np.sort(regions["p"])
    by_hand = [min(p[j] * 4 / (j + 1) for j in range(i, 4)) for i in range(4)]
    assert np.sort(regions["q"]) == pytest.approx(by_hand)


def test_a_region_made_of_others_is_a_family_of_its_own():
    rng = np.random.default_rng(1)
    groups = ["control"] * 10 + ["patient"] * 10
    volumes, scans = study({f"r{side}": rng.normal(size=20) + 0.4 * (np.arange(20) > 9) for side in "LR"}, groups)
    both = volumes.groupby("scan", as_index=False)["volume_ml"].sum().assign(region="r", tissue="GM")
    alone, *_ = fit_regions(volumes, scans, "group")
    regions, *_ = fit_regions(pd.concat([volumes, both]), scans, "group", merged=["r"])
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
    regions, adjusted, _ = fit_regions(volumes, scans, "group + age + sex")
    assert regions["difference_ml"][0] == pytest.approx(2, abs=0.1)
    controls = adjusted.loc[adjusted["group"] == "control", "volume_ml"]
    assert controls.max() - controls.min() < 0.1
    # At the mean age of 72.5 years.
    assert controls.mean() == pytest.approx(10 - 7.25, abs=0.1)


def test_without_a_difference_one_in_twenty_is_found():
    rng = np.random.default_rng(3)
    n = 1000
    groups = ["control"] * 15 + ["patient"] * 15
    volumes, scans = study(
        {f"r{i}": rng.normal(size=30) for i in range(n)}, groups, age=rng.normal(70, 5, 30), sex=list("FM" * 15)
    )
    regions, *_ = fit_regions(volumes, scans, "group + age + sex")
    # Standard error of the share: sqrt(0.05 * 0.95 / 1000) = 0.007.
    assert (regions["p"] < 0.05).mean() == pytest.approx(0.05, abs=0.015)


def test_scans_without_volumes_are_left_out():
    volumes, scans = study({"a": np.arange(7.0) ** 2}, ["control"] * 4 + ["patient"] * 3)
    regions, *_ = fit_regions(volumes[volumes["scan"] != "sub-000"], scans, "group")
    assert regions["n"][0] == 6


def test_a_covariate_that_never_changes_is_left_out_and_said(caplog):
    volumes, scans = study({"a": np.arange(6.0) ** 2}, ["control"] * 3 + ["patient"] * 3, sex=["F"] * 6)
    fit_regions(volumes, scans.assign(field=3.0), "group + field")
    assert "field" in caplog.text


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("group + height", "height is no column"),
        ("group + hole", "hole has no value"),
        ("group + copy", "rank"),
    ],
)
def test_impossible_models_are_refused_with_a_reason(formula, message):
    groups = ["control"] * 3 + ["patient"] * 3
    volumes, scans = study({"a": np.arange(6.0)}, groups, hole=[1.0, None, 2, 3, 4, 5], copy=[0.0, 0, 0, 1, 1, 1])
    with pytest.raises(CounterwarpError, match=message):
        fit_regions(volumes, scans, formula)


def test_one_group_only_is_refused():
    volumes, scans = study({"a": np.arange(6.0)}, ["control"] * 6)
    with pytest.raises(CounterwarpError, match="both groups"):
        fit_regions(volumes, scans, "group")


def test_with_covariates_it_is_the_normal_equations():
    """b = (X'X)^-1 X'y, its variance s^2 (X'X)^-1, solved here by hand for the columns written out."""
    rng = np.random.default_rng(5)
    patient, male = np.repeat([0.0, 1.0], 12), np.tile([0.0, 1.0], 12)
    age, icv, site = rng.normal(70, 6, 24), rng.normal(1500, 90, 24), np.tile(["a", "b", "c"], 8)
    volume = 5 + 0.4 * patient - 0.03 * age + 0.2 * male + 0.002 * icv + 0.3 * (site == "b") + rng.normal(0, 0.3, 24)
    volumes, scans = study(
        {"a": volume}, ["control"] * 12 + ["patient"] * 12, age=age, sex=np.where(male, "M", "F"), icv_ml=icv, site=site
    )
    regions, *_ = fit_regions(volumes, scans, "group + age + sex + icv_ml + C(site)")
    x = np.column_stack([np.ones(24), patient, age, male, icv, site == "b", site == "c"]).astype(float)
    inverse = np.linalg.inv(x.T @ x)
    b = inverse @ x.T @ volume
    s = np.sqrt(((volume - x @ b) ** 2).sum() / (24 - 7))
    t = b[1] / (s * np.sqrt(inverse[1, 1]))
    row = regions.iloc[0]
    assert row[["difference_ml", "t", "p"]].tolist() == pytest.approx([b[1], t, 2 * stats.t.sf(abs(t), 17)], rel=1e-6)
    assert row["effect"] == pytest.approx(b[1] / s, rel=1e-6)
    ends = [share_below(t, 17, row[end] / np.sqrt(inverse[1, 1])) for end in ("low", "high")]
    assert ends == pytest.approx([0.975, 0.025], abs=1e-4)


# mtcars of R (Henderson and Velleman 1981): miles per gallon, weight, seconds for a quarter mile, manual gears.
MPG = """21 21 22.8 21.4 18.7 18.1 14.3 24.4 22.8 19.2 17.8 16.4 17.3 15.2 10.4 10.4 14.7 32.4 30.4 33.9 21.5 15.5 15.2
13.3 19.2 27.3 26 30.4 15.8 19.7 15 21.4"""
WT = """2.62 2.875 2.32 3.215 3.44 3.46 3.57 3.19 3.15 3.44 3.44 4.07 3.73 3.78 5.25 5.424 5.345 2.2 1.615 1.835 2.465
3.52 3.435 3.84 3.845 1.935 2.14 1.513 3.17 2.77 3.57 2.78"""
QSEC = """16.46 17.02 18.61 19.44 17.02 20.22 15.84 20 22.9 18.3 18.9 17.4 17.6 18 17.98 17.82 17.42 19.47 18.52 19.9
20.01 16.87 17.3 15.41 17.05 18.9 16.7 16.9 14.5 15.5 14.6 18.6"""
AM = "1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 1 1 0 0 0 0 0 1 1 1 1 1 1 1"


@pytest.mark.parametrize(
    ("formula", "difference", "t", "p", "sd"),
    [("group + wt", -0.02362, -0.015, 0.988, 3.098), ("group + wt + qsec", 2.9358, 2.081, 0.046716, 2.459)],
)
def test_an_analysis_of_covariance_is_what_r_prints(formula, difference, t, p, sd):
    """summary(lm(mpg ~ wt + am, mtcars)), and with qsec: estimate, t and p of am, and the residual standard error."""
    mpg, wt, qsec, am = (np.array(text.split(), float) for text in (MPG, WT, QSEC, AM))
    volumes, scans = study({"a": mpg}, np.where(am, "patient", "control").tolist(), wt=wt, qsec=qsec)
    row = fit_regions(volumes, scans, formula)[0].iloc[0]
    assert row["difference_ml"] == pytest.approx(difference, abs=5e-5)
    assert row["t"] == pytest.approx(t, abs=5e-4) and row["p"] == pytest.approx(p, abs=5e-4)
    assert row["difference_ml"] / row["effect"] == pytest.approx(sd, abs=5e-4)


def test_students_sleep_is_what_r_prints_unpaired_and_paired():
    """Student's own data: t.test(extra ~ group, sleep) with var.equal is 1.8608, paired 4.0621."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    groups = ["control"] * 10 + ["patient"] * 10
    volumes, scans = study({"a": np.array(first + second)}, groups, subject=[str(i % 10) for i in range(20)])
    row = fit_regions(volumes, scans, "group")[0].iloc[0]
    assert row["t"] == pytest.approx(1.8608, abs=5e-5) and row["p"] == pytest.approx(0.07919, abs=5e-6)
    mixed = fit_regions(volumes, scans, "group", model="mixed")[0].iloc[0]
    assert mixed["t"] == pytest.approx(4.0621, abs=1e-3)


def test_a_mixed_model_of_balanced_visits_is_the_paired_analysis():
    """With as many visits of each subject, the difference of groups is that of the subjects' means, t the same."""
    rng = np.random.default_rng(6)
    subject = np.repeat(np.arange(20), 3)
    patient = subject >= 10
    volume = 10 + 1.0 * patient + rng.normal(0, 0.8, 20)[subject] + rng.normal(0, 0.3, 60)
    volumes, scans = study(
        {"a": volume}, np.where(patient, "patient", "control").tolist(), subject=[f"{i:02d}" for i in subject]
    )
    regions, _, residuals = fit_regions(volumes, scans, "group", model="mixed")
    # The leverage of least squares says nothing of this model's residuals.
    assert residuals.loc[0, ["studentised", "outlier_p"]].isna().all() and residuals["outlier"][0] == ""
    assert residuals.loc[0, ["normal_p", "equal_variance_p"]].notna().all()
    means = volume.reshape(20, 3).mean(1)
    by_hand = stats.ttest_ind(means[10:], means[:10])
    assert regions["difference_ml"][0] == pytest.approx(means[10:].mean() - means[:10].mean(), rel=1e-6)
    assert regions["t"][0] == pytest.approx(by_hand.statistic, rel=1e-3)
    assert regions["n"][0] == 60
    within = (volume.reshape(20, 3) - means[:, None]).var() * 60 / 40
    between = np.concatenate([means[:10] - means[:10].mean(), means[10:] - means[10:].mean()])
    spread = np.sqrt(within + (between**2).sum() / 18 - within / 3)
    assert regions["effect"][0] == pytest.approx(regions["difference_ml"][0] / spread, rel=1e-3)


def test_the_interval_of_a_large_effect_holds_it_in_19_of_20_studies():
    """500 studies of six subjects a group, three sd apart; with the sd taken for known it would be in 15 of 20."""
    rng = np.random.default_rng(10)
    groups = ["control"] * 6 + ["patient"] * 6
    volumes, scans = study({f"r{i}": rng.normal(size=12) + 3 * (np.arange(12) > 5) for i in range(500)}, groups)
    regions, *_ = fit_regions(volumes, scans, "group")
    # Standard error 0.01 of either share.
    assert ((regions["low"] < 3) & (regions["high"] > 3)).mean() == pytest.approx(0.95, abs=0.03)
    known = stats.t.ppf(0.975, 10) * np.sqrt(2 / 6)
    assert ((regions["effect"] - 3).abs() < known).mean() < 0.85


def test_the_interval_of_an_effect_turns_round_with_its_sign():
    low, high = effect_interval(2.5, 20, 0.5)
    assert effect_interval(-2.5, 20, 0.5) == pytest.approx([-high, -low], abs=1e-6)
    # Of no effect, with the sd as good as known, that of the normal distribution.
    assert effect_interval(0.0, 1e6, 1.0) == pytest.approx([-1.959964, 1.959964], abs=1e-5)
    assert np.isnan(effect_interval(1e9, 4, 1.0)).all()


def test_a_mixed_model_of_single_scans_is_refused():
    volumes, scans = study({"a": np.arange(6.0)}, ["control"] * 3 + ["patient"] * 3, subject=list("abcdef"))
    with pytest.raises(CounterwarpError, match=r"several scans; set it to ols"):
        fit_regions(volumes, scans, "group", model="mixed")


def test_residuals_name_the_scan_that_fits_worst():
    """Against the t-test of a column that is 1 for that scan only, which is what studentised means."""
    import statsmodels.api as sm

    rng = np.random.default_rng(7)
    _, scans = study({}, ["control"] * 15 + ["patient"] * 15, age=rng.normal(70, 5, 30))
    columns = design(scans.set_index("scan"), "group + age")
    volume = pd.Series(rng.normal(size=30), columns.index)
    volume["sub-017"] += 8
    found = check_residuals(sm.OLS(volume, columns).fit().resid, columns)
    alone = columns.assign(alone=(columns.index == "sub-017").astype(float))
    test = sm.OLS(volume, alone).fit()
    assert found["outlier"] == "sub-017" and found["studentised"] == pytest.approx(test.tvalues["alone"])
    assert found["outlier_p"] == pytest.approx(30 * test.pvalues["alone"]) and found["normal_p"] < 0.001


def test_checks_of_a_model_that_holds_find_one_in_twenty():
    rng = np.random.default_rng(8)
    _, scans = study({}, ["control"] * 20 + ["patient"] * 20, age=rng.normal(70, 5, 40))
    columns = design(scans.set_index("scan"), "group + age")
    remove = np.eye(40) - columns.to_numpy() @ np.linalg.pinv(columns.to_numpy())
    found = [check_residuals(pd.Series(remove @ rng.normal(size=40), columns.index), columns) for _ in range(400)]
    # Standard error of a share of 400: 0.011. Residuals are a little more normal than what they are of.
    for name in ("normal_p", "equal_variance_p", "outlier_p"):
        assert np.mean([check[name] < 0.05 for check in found]) == pytest.approx(0.05, abs=0.035)


def test_power_is_that_of_the_noncentral_t():
    """1,000 draws of 20 subjects a group, one sd apart: power 0.869 at 5 %."""
    rng = np.random.default_rng(9)
    groups = ["control"] * 20 + ["patient"] * 20
    volumes, scans = study({f"r{i}": rng.normal(size=40) + (np.arange(40) > 19) for i in range(1000)}, groups)
    regions, *_ = fit_regions(volumes, scans, "group")
    limit, shift = stats.t.ppf(0.975, 38), 1 / np.sqrt(2 / 20)
    power = stats.nct.sf(limit, 38, shift) + stats.nct.cdf(-limit, 38, shift)
    assert power == pytest.approx(0.869, abs=0.001)
    # Standard error 0.011.
    assert (regions["p"] < 0.05).mean() == pytest.approx(power, abs=0.035)
