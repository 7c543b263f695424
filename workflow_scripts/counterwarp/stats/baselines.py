"""What simple models make of the same split: a network has to do better before its maps mean more than theirs."""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from counterwarp.cohorts.folds import folds_of, split_column
from counterwarp.stats.calibration import Calibration, calibrate
from counterwarp.stats.intervals import classification

# Components that the images are brought down to, at most; chosen before any cohort was seen and the same for all.
COMPONENTS = 20
BINS = 32
# A brain leaves some of its frame empty.
MOST_OF_FRAME = 0.95
# Of logistic regression. Components are scaled to the same spread first.
STRENGTH = 1.0
# What each model sees.
IMAGE, MASK, HISTOGRAM, COVARIATES = "image", "mask", "histogram", "covariates"


def baseline_scores(images: np.ndarray, scans: pd.DataFrame, covariates: list[str]) -> pd.DataFrame:
    """Scores of each simple model on test subjects.

    Args:
        images: (n, *grid), what the networks see.
        scans: of each its subject, group and split, or the split of each fold, and the covariates; one row a subject.
        covariates: columns of numbers or names.

    Returns:
        model (what it sees), metric, value, low, high (95 % interval), n; test subjects only. A model that the subjects
        do not allow, such as of covariates that are missing or constant, is left out.
    """
    is_patient = (scans["group"] == "patient").to_numpy()
    splits = [scans[split_column(fold)].to_numpy() for fold in folds_of(scans) or [None]]
    rows = []
    for model, features in _features(images, scans, covariates).items():
        odds = np.full(len(features), np.nan)
        for split in splits:
            tested = (split == "test") & np.isfinite(features).all(1)
            odds[tested] = _test_odds(model, features, is_patient, split, tested)
        known = np.isfinite(odds)
        if known.any():
            scores = classification(odds[known], is_patient[known])
            of_model = [(name, score.value, score.low, score.high) for name, score in scores.items()]
            rows += [(model, *score, int(known.sum())) for score in of_model]
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high", "n"])


def _test_odds(
    model: str, features: np.ndarray, is_patient: np.ndarray, split: np.ndarray, tested: np.ndarray
) -> np.ndarray | float:
    """Log-odds of the test subjects by a model of the training subjects; nan where these do not allow it."""
    whole = np.isfinite(features).all(1)
    train, validation = ((split == part) & whole for part in ("train", "validation"))
    if not tested.any() or len(set(is_patient[train])) < 2 or not features[train].std(0).any():
        return np.nan
    fitted = _model(model, int(train.sum())).fit(features[train], is_patient[train])
    known = Calibration(0.0, 1.0)
    if len(set(is_patient[validation])) == 2:
        known = calibrate(fitted.decision_function(features[validation]), is_patient[validation])
    return (fitted.decision_function(features[tested]) - known.threshold) / known.temperature


def no_better(network_auc: float, baselines: pd.DataFrame) -> list[str]:
    """The models (by what they see) whose area under the curve the network's does not exceed."""
    areas = baselines[baselines["metric"] == "auc"]
    return areas.loc[areas["value"] >= network_auc, "model"].to_list()


def _features(images: np.ndarray, scans: pd.DataFrame, covariates: list[str]) -> dict[str, np.ndarray]:
    """What each model sees, (n, features)."""
    flat = np.asarray(images, np.float32).reshape(len(images), -1)
    # Around a brain all voxels have one value, that of the first.
    inside = flat != flat[:, :1]
    edges = np.quantile(flat[inside], np.linspace(0, 1, BINS + 1)) if inside.any() else np.linspace(0, 1, BINS + 1)
    edges[0], edges[-1] = -np.inf, np.inf
    histograms = np.stack(
        [np.histogram(image[own], edges)[0] / max(own.sum(), 1) for image, own in zip(flat, inside, strict=True)]
    )
    found = {IMAGE: flat, MASK: inside.astype(np.float32), HISTOGRAM: histograms}
    if (inside.mean(1) > MOST_OF_FRAME).any():
        # Films fill their frame: no outline is in them.
        del found[MASK]
    if covariates:
        found[COVARIATES] = pd.get_dummies(scans[covariates], drop_first=True).to_numpy(float)
    return found


def _model(model: str, subjects: int):
    """Components of images are kept at their own spread: the small ones are noise."""
    regression = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)
    if model in (IMAGE, MASK):
        reduce = PCA(min(COMPONENTS, subjects - 1), random_state=0)
        return make_pipeline(reduce, StandardScaler(), regression)
    return make_pipeline(StandardScaler(), regression)
