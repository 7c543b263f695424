"""The toy benchmark is what the facts say, and its ceiling is one."""

import numpy as np
import pytest
from counterwarp.cohorts.toy import (
    BACKGROUND,
    LIMIT,
    SQUARE,
    TEXTURE_SD,
    ceiling,
    draw,
    draw_canvas,
    draw_scale,
    probabilities,
    resize,
)
from counterwarp.stats.ncc import ncc

DRAWN = {"grid": 32, "texture": 1.0, "train": 12, "validation": 3, "test": 5}


@pytest.fixture(scope="module")
def drawn():
    return draw(**DRAWN, seed=3)


def test_shapes_and_splits(drawn):
    assert drawn.images.shape == drawn.truth.shape == (40, 32, 32)
    counts = drawn.index.groupby(["group", "split"]).size()
    assert counts["control"].to_dict() == counts["patient"].to_dict() == {"test": 5, "train": 12, "validation": 3}
    assert list(drawn.index.columns[:6]) == ["row", "scan", "subject", "group", "split", "baseline"]
    assert drawn.index["scan"].is_unique


def test_no_split_repeats_another_and_a_seed_repeats_itself(drawn):
    flat = drawn.images.reshape(40, -1)
    assert len(np.unique(flat, axis=0)) == 40
    again, other = draw(**DRAWN, seed=3), draw(**DRAWN, seed=4)
    assert np.array_equal(again.images, drawn.images)
    assert not np.array_equal(other.images[:5], drawn.images[:5])


def test_the_canvas_has_the_square_and_the_texture_asked_for():
    canvas = draw_canvas(np.random.default_rng(1), 224, 2.5)
    inside = canvas != BACKGROUND
    # 89 pixels on either side of the centre, which lies between two pixels.
    assert inside.sum() == 178**2
    assert inside[23:201, 23:201].all()
    assert canvas[inside].mean() == pytest.approx(SQUARE, abs=0.05)
    assert canvas[inside].std() == pytest.approx(TEXTURE_SD)


def test_half_the_scale_is_half_the_square_and_scale_one_changes_nothing():
    canvas = draw_canvas(np.random.default_rng(1), 64, 2.0)
    np.testing.assert_allclose(resize(canvas, 1.0), canvas)
    half = resize(canvas, 0.5)
    assert (half != BACKGROUND).sum() == pytest.approx((canvas != BACKGROUND).sum() / 4, rel=0.15)
    # Pixel 40 lies 8.5 from the centre, and shows what lies 17 from it: between pixels 48 and 49.
    assert half[40, 40] == pytest.approx(canvas[48:50, 48:50].mean())


def test_patients_are_the_smaller_ones_and_scales_are_as_probable_as_they_should_be():
    for of_patient in (True, False):
        rng = np.random.default_rng(2)
        drawn = np.array([draw_scale(rng, of_patient) for _ in range(4000)])
        assert ((drawn < LIMIT) == of_patient).all()
        scales, shares = np.array(list(probabilities(of_patient))).T
        assert shares.sum() == pytest.approx(1)
        assert drawn.mean() == pytest.approx(scales @ shares, abs=0.005)
        assert (drawn == 0.65).mean() == pytest.approx(shares[np.isclose(scales, 0.65)].sum(), abs=0.015)


def test_the_truth_is_the_change_by_the_disease(drawn):
    for row, image, truth in zip(drawn.index.itertuples(), drawn.images, drawn.truth, strict=True):
        small, large = sorted((row.scale, row.other_scale))
        assert small < LIMIT <= large
        counterpart = image - truth if row.group == "patient" else image + truth
        assert (counterpart.mean() > image.mean()) == (row.group == "patient")


def test_no_prediction_that_does_not_know_the_other_scale_beats_the_ceiling():
    canvas = draw_canvas(np.random.default_rng(5), 32, 1.0)
    image = resize(canvas, 0.6)
    truths = [(resize(canvas, scale) - image, share) for scale, share in probabilities(of_patient=False)]
    limit = ceiling(canvas, 0.6, of_patient=True)

    def mean_ncc(prediction):
        return sum(share * ncc(prediction, truth) for truth, share in truths)

    centred = [(truth - truth.mean(), share) for truth, share in truths]
    best = sum(share * truth / np.linalg.norm(truth) for truth, share in centred)
    assert mean_ncc(best) == pytest.approx(limit)
    assert max(mean_ncc(truth) for truth, _ in truths) < limit < 1
    assert max(mean_ncc(best + 0.1 * np.random.default_rng(i).normal(size=best.shape)) for i in range(5)) < limit


def test_the_ceiling_is_that_of_test_images(drawn):
    tested = drawn.index["split"] == "test"
    assert drawn.index.loc[tested, "ceiling"].between(0.5, 1).all()
    assert drawn.index.loc[~tested, "ceiling"].isna().all()
