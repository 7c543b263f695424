"""Threshold, temperature, simple models, and whether a classifier tells the groups apart."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.stats import ALL
from counterwarp.stats.baselines import baseline_scores, no_better
from counterwarp.stats.calibration import calibrate
from counterwarp.stats.intervals import score_splits, with_log_odds
from counterwarp.stats.verdict import verdict, warning


def test_the_threshold_lies_half_way_between_the_groups():
    logits, is_patient = np.array([1.0, 2, 3, 7, 8, 9]), np.array([False] * 3 + [True] * 3)
    assert calibrate(logits, is_patient).threshold == 5
    # Where the order is wrong, validation says nothing.
    assert calibrate(-logits, is_patient).threshold == 0


def test_the_temperature_undoes_a_stretch_of_the_logits():
    rng = np.random.default_rng(0)
    is_patient = np.arange(4000) % 2 == 0
    # Normal groups at -1 and 1 with variance 2 have log-odds of exactly their value.
    odds = np.where(is_patient, 1.0, -1.0) + rng.normal(0, np.sqrt(2), 4000)
    found = calibrate(5 * odds + 3, is_patient)
    assert found.threshold == pytest.approx(3, abs=0.3) and found.temperature == pytest.approx(5, rel=0.1)


def logits_of(seeds, apart: float, subjects: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    group = np.array(["control", "patient"] * (subjects // 2))
    of_seeds = [
        pd.DataFrame(
            {
                "seed": seed,
                "fold": ALL,
                "subject": [f"{i:02d}" for i in range(subjects)],
                "group": group,
                "split": ["validation"] * 10 + ["test"] * (subjects - 10),
                "logit": 4 + apart * (group == "patient") + rng.normal(0, 1, subjects),
            }
        )
        for seed in seeds
    ]
    return with_log_odds(pd.concat(of_seeds))


def test_logits_that_all_lie_on_one_side_are_scored_by_the_threshold_of_validation():
    scores = score_splits(logits_of([1], apart=6)).set_index(["split", "metric"])["value"]
    assert scores["test", "sensitivity"] == scores["test", "specificity"] == 1
    assert scores["validation", "threshold"] == pytest.approx(7, abs=0.7)


def test_a_classifier_that_knows_nothing_is_named_and_one_that_does_is_not():
    apart, alike = verdict(logits_of([1, 2, 3], apart=3)), verdict(logits_of([1, 2, 3], apart=0))
    assert list(apart["seed"]) == [1, 2, 3, ALL] and apart["tells_apart"].all() and warning(apart) == ""
    last = alike.iloc[-1]
    assert not last["tells_apart"] and last["low"] <= 0.5 and last["n"] == 30
    assert f"AUC {last['auc']:.2f}" in warning(alike) and "explain no disease" in warning(alike)
    assert "No subject was left" in warning(verdict(logits_of([1], 1).assign(split="train")))


def test_test_subjects_of_all_folds_are_scored_together_by_the_threshold_of_their_own_fold():
    """Two networks whose logits lie around 2 and around 100 are one classifier."""
    people = pd.DataFrame({"seed": 1, "subject": list("abcdefgh"), "group": ["control", "patient"] * 4})
    of_folds = []
    for fold, middle in ((1, 2.0), (2, 100.0)):
        split = ["validation" if fold == 1 else "test"] * 4 + ["test" if fold == 1 else "validation"] * 4
        logit = middle + np.where(people["group"] == "patient", 1.0, -1.0)
        of_folds.append(people.assign(fold=fold, split=split, logit=logit))
    found = with_log_odds(pd.concat(of_folds))
    scores = score_splits(found).set_index(["fold", "split", "metric"])
    assert scores.loc[(ALL, "test", "auc"), "value"] == 1
    assert scores.loc[(ALL, "test", "balanced_accuracy"), ["value", "n"]].tolist() == [1, 8]
    assert scores.loc[(1, "validation", "threshold"), "value"] == 2
    assert scores.loc[(2, "validation", "threshold"), "value"] == 100
    assert verdict(found)["n"].tolist() == [8]


def test_of_one_seed_that_seed_counts():
    assert list(verdict(logits_of([7], apart=3))["seed"]) == [7]


@pytest.fixture
def cohort() -> tuple[np.ndarray, pd.DataFrame]:
    """Images 0 outside a ball of one size; patients are brighter on the right; ages are alike, sexes are not."""
    rng = np.random.default_rng(0)
    n = 120
    patient = np.arange(n) % 2 == 1
    inside = np.linalg.norm(np.indices((8, 8, 8)) - 3.5, axis=0) < 3
    images = rng.normal(1, 0.3, (n, 8, 8, 8))
    images[:, 4:] += 0.5 * patient[:, None, None, None]
    scans = pd.DataFrame(
        {
            "subject": [f"{i:03d}" for i in range(n)],
            "group": np.where(patient, "patient", "control"),
            "split": ["train"] * 60 + ["validation"] * 20 + ["test"] * 40,
            "age": rng.normal(60, 8, n),
            "sex": np.where(patient == (rng.random(n) < 0.9), "F", "M"),
        }
    )
    return np.where(inside, images, 0).astype(np.float16), scans


def test_each_simple_model_finds_what_it_can_see(cohort):
    images, scans = cohort
    scores = baseline_scores(images, scans, ["age", "sex"])
    auc = scores[scores["metric"] == "auc"].set_index("model")["value"]
    # All brains have one outline, so that a model of it would be of nothing: it is left out.
    assert set(auc.index) == {"image", "histogram", "covariates"}
    assert auc["image"] > 0.95 and auc["covariates"] > 0.7
    assert (scores["n"] == 40).all()
    assert no_better(0.8, scores)[0] == "image" and no_better(1.01, scores) == []


def test_the_outline_gives_groups_away_where_brains_differ_in_size(cohort):
    images, scans = cohort
    images = images.copy()
    images[(scans["group"] == "patient").to_numpy(), :2] = 0
    scores = baseline_scores(images, scans, [])
    assert scores[scores["metric"] == "auc"].set_index("model")["value"]["mask"] == 1
    assert "covariates" not in set(scores["model"])


def test_one_missing_value_stops_nobody_else(cohort):
    images, scans = cohort
    scans.loc[[3, 90], "age"] = np.nan
    scores = baseline_scores(images, scans, ["age"]).set_index(["model", "metric"])["n"]
    assert scores["covariates", "auc"] == 39 and scores["image", "auc"] == 40
