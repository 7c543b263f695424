"""The 2-D benchmark is what the paper describes."""

import numpy as np
import pytest
from counterwarp.cohorts.gaussians import BAYES_ACCURACY, draw
from counterwarp.stats.ncc import ncc

DRAWN = {
    "each": 500,
    "block": 16,
    "width": 2.5,
    "jitter": 3.0,
    "noise": 0.002,
    "validation_share": 0.1,
    "test_share": 0.2,
}


@pytest.fixture(scope="module")
def drawn():
    return draw(**DRAWN, seed=3)


def test_shapes_and_splits(drawn):
    assert drawn.images.shape == drawn.truth.shape == (1000, 32, 32)
    counts = drawn.index.groupby(["group", "split"]).size()
    assert counts["control"].to_dict() == counts["patient"].to_dict() == {"test": 100, "train": 350, "validation": 50}
    assert drawn.index["scan"].is_unique


def test_magnitudes_have_the_groups_ranges_and_peak_in_the_images(drawn):
    index = drawn.index.set_index("row")
    for group, low, high in (("control", 1, 5), ("patient", 4, 8)):
        values = index.loc[index["group"] == group, "magnitude"]
        assert low <= values.min() < low + 0.1 and high - 0.1 < values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.15)
    # A pixel lies within 0.71 of the centre, where the Gaussian still has exp(-0.5 / 12.5) = 0.96 of its height.
    for block in (np.s_[:, :16, 16:], np.s_[:, 16:, :16]):
        peaks = drawn.images[block].max((1, 2))
        ratio = peaks / index["magnitude"].to_numpy()
        assert ratio.min() > 0.94
        assert ratio.max() < 1.02


def test_the_truth_is_the_mean_difference_off_the_diagonal(drawn):
    assert drawn.truth.max() == pytest.approx(3, rel=0.02)
    # On the diagonal there are only the tails of the others.
    assert drawn.truth[:, :8, :8].max() < 0.3
    groups = drawn.index["group"].to_numpy()
    difference = drawn.images[groups == "patient"].mean(0) - drawn.images[groups == "control"].mean(0)
    assert ncc(difference, drawn.truth.mean(0)) > 0.95


def test_the_best_classifier_is_right_seven_times_in_eight():
    index = draw(**DRAWN | {"each": 20000, "block": 4}, seed=1).index
    magnitude, patient = index["magnitude"].to_numpy(), (index["group"] == "patient").to_numpy()
    # Any threshold in [4, 5] is as good as any rule; sampling error of 40000 images is 0.0017.
    for threshold in (4.0, 4.5, 5.0):
        assert ((magnitude > threshold) == patient).mean() == pytest.approx(BAYES_ACCURACY, abs=0.006)


def test_another_seed_draws_other_images_and_another_split(drawn):
    other = draw(**DRAWN, seed=4)
    assert not np.array_equal(other.images, drawn.images)
    assert not other.index["split"].equals(drawn.index["split"])
    assert np.array_equal(draw(**DRAWN, seed=3).images, drawn.images)
