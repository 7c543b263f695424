"""Voxelwise inference finds what is there and, as often as it says, what is not; its measures by hand."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.errors import CounterwarpError
from counterwarp.stats.voxelwise import Inference, compare, infer, memory_mb
from scipy.stats import ttest_1samp


def cohort(each=10):
    rng = np.random.default_rng(0)
    group = ["control"] * each + ["patient"] * each
    return pd.DataFrame({"group": group, "age": rng.normal(70, 5, 2 * each), "sex": ["F", "M"] * each})


def test_memory_grows_with_subjects_voxels_and_processes():
    # 2 l of 2 mm are 250,000 voxels; 40 bytes of each for 100 subjects are 1,000 MB.
    assert memory_mb(100, 2.0, 1) == 1000
    assert memory_mb(100, 2.0, 2) == 2000
    assert memory_mb(50, 2.0, 1) == 500
    assert memory_mb(100, 1.0, 1) == 8000


def test_the_group_effect_is_that_of_ordinary_least_squares_and_is_found():
    import statsmodels.api as sm

    scans, rng = cohort(), np.random.default_rng(1)
    patient = (scans["group"] == "patient").to_numpy(float)
    maps = rng.normal(0, 1, (20, 30)) + 0.1 * scans["age"].to_numpy()[:, None]
    maps[:, 0] += 5 * patient
    found = infer(maps, scans, "group + age + sex", "group", 200, seed=1, jobs=1)
    columns = np.column_stack([np.ones(20), patient, scans["age"], scans["sex"] == "M"]).astype(float)
    fits = [sm.OLS(maps[:, voxel], columns).fit() for voxel in range(30)]
    np.testing.assert_allclose(found.effect, [fit.params[1] for fit in fits], rtol=1e-6)
    np.testing.assert_allclose(found.t, [fit.tvalues[1] for fit in fits], rtol=1e-6)
    assert found.significant.tolist() == [True] + [False] * 29
    assert found.p[0] == pytest.approx(1 / 201)


def test_without_covariates_the_mean_is_tested_as_by_students_t():
    scans, rng = cohort(), np.random.default_rng(2)
    maps = rng.normal(0.2, 1, (20, 8))
    found = infer(maps, scans, "group", "mean", 50, seed=1, jobs=1)
    np.testing.assert_allclose(found.t, ttest_1samp(maps, 0).statistic, rtol=1e-6)
    np.testing.assert_allclose(found.effect, maps.mean(0), rtol=1e-6)


def test_a_covariate_that_explains_all_leaves_no_group_effect():
    scans = cohort().assign(age=lambda s: np.arange(20.0) + 3 * (s["group"] == "patient"))
    maps = np.repeat(scans["age"].to_numpy()[:, None], 5, 1) + np.random.default_rng(3).normal(0, 0.1, (20, 5))
    assert not infer(maps, scans, "group + age", "group", 100, seed=1, jobs=1).significant.any()


def test_one_family_in_twenty_of_pure_noise_has_a_finding():
    scans, rng = cohort(), np.random.default_rng(4)
    found = [
        infer(rng.normal(size=(20, 40)), scans, "group + age", "group", 99, seed=i, jobs=1).significant.any()
        for i in range(200)
    ]
    # Binomial(200, 0.05): 10 expected, and 3 to 19 in 99 of 100 samples.
    assert 3 <= sum(found) <= 19


def test_a_voxel_without_any_variation_is_not_significant():
    maps = np.random.default_rng(5).normal(size=(20, 3))
    maps[:, 1] = 0
    found = infer(maps, cohort(), "group", "group", 50, seed=1, jobs=1)
    assert found.t[1] == 0 and found.p[1] == 1 and np.isfinite(found.t).all()


def test_another_word_than_group_or_mean_is_refused():
    with pytest.raises(CounterwarpError, match="'slope'"):
        infer(np.ones((20, 2)), cohort(), "group", "slope", 10, seed=1, jobs=1)


def test_measures_by_hand():
    p = lambda *significant: np.where(significant, 0.01, 0.5)  # noqa: E731
    effect = np.array([1.0, 1.0, -1.0, 1.0, 0.5])
    truth = np.array([0.3, 0.3, -0.3, 0.0, -0.3])
    found = Inference(effect, effect, p(True, False, True, True, True))
    other = Inference(-effect, effect, p(True, False, False, False, False))
    numbers = compare(found, other, truth)
    assert numbers["significant_percent"] == pytest.approx(80)
    # Of four changed voxels two are found with the right sign; of four findings one is nothing and one is turned round.
    assert numbers["sensitivity"] == pytest.approx(2 / 4)
    assert numbers["false_percent"] == pytest.approx(50)
    assert numbers["ncc_reference"] == pytest.approx(-1)
    assert numbers["dice_reference"] == 0
    same = compare(found, found, None)
    assert same["dice_reference"] == 1 and "ncc" not in same


def test_shares_of_nothing_are_undefined():
    none = Inference(np.array([1.0, 2.0]), np.zeros(2), np.ones(2))
    numbers = compare(none, none, np.array([0.0, 0.1]))
    assert np.isnan(numbers["false_percent"]) and np.isnan(numbers["dice_reference"]) and numbers["sensitivity"] == 0
