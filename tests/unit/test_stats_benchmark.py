"""The 2-D benchmark's tables, from maps whose NCC is known."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.stats.benchmark import compare_order, group_patterns, interval_half_width, score

EMPTY = pd.DataFrame(columns=["row", "scan", "raw", "simulated", "cycled"])


def cohort(n=6):
    index = pd.DataFrame({"row": range(n), "scan": [f"sub-{i}" for i in range(n)]})
    index["group"] = ["control", "patient"] * (n // 2)
    index["split"] = ["train", "train", *["test"] * (n - 2)]
    truth = np.random.default_rng(1).normal(size=(n, 5, 6))
    return index, truth


def test_a_perfect_map_scores_1_and_its_negative_minus_1_on_test_images_alone():
    index, truth = cohort()
    perfect = truth.copy()
    perfect[:2] = 0  # training images do not count
    logits = index[["row", "scan"]].assign(raw=[-2.0, 2] * 3, simulated=[3.0, -1] * 3, cycled=[-2.0, 2] * 3)
    jobs = {("cycle", 1): (perfect, logits), ("backprop", 1): (-2 * truth + 5, EMPTY)}
    table = score(jobs, {1: index}, {1: truth}).set_index(["method", "seed", "level", "metric"])["mean"]
    assert table["cycle", "1", "subject", "ncc"] == pytest.approx(1)
    assert table["backprop", "1", "subject", "ncc"] == pytest.approx(-1)
    assert table["cycle", "1", "group", "ncc"] == pytest.approx(1)
    # A control goes up by 5, a patient down by 3.
    assert table["cycle", "1", "subject", "logit_shift"] == pytest.approx(4)


def test_the_interval_over_seeds_is_student_s():
    # t(0.975, 4) = 2.776.
    assert interval_half_width(0.1, 5) == pytest.approx(2.776 * 0.1 / np.sqrt(5), rel=1e-3)
    assert np.isnan(interval_half_width(0.1, 1))


def rows(method, values):
    return [(method, str(seed), "subject", "ncc", value) for seed, value in enumerate(values)]


def test_the_order_is_judged_seed_by_seed():
    table = pd.DataFrame(
        rows("cycle", [0.8, 0.9, 0.85])
        + rows("cycle_two_encoders", [0.7, 0.8, 0.75])
        + rows("backprop", [0.9, 0.2, 0.8]),
        columns=["method", "seed", "level", "metric", "mean"],
    )
    order = compare_order(table).set_index(["better", "worse"])
    # The difference is 0.1 in every seed, so its interval has no width, though the methods' own intervals overlap.
    assert order.loc[("cycle", "cycle_two_encoders"), "low"] == pytest.approx(0.1)
    assert order.loc[("cycle", "cycle_two_encoders"), "verdict"] == "holds"
    assert order.loc[("cycle_two_encoders", "backprop"), "verdict"] == "undecided"
    assert len(order) == 3
    reversed_ = table.assign(mean=-table["mean"])
    assert compare_order(reversed_).iloc[0]["verdict"] == "reversed"


def test_group_patterns_are_means_over_test_images_and_seeds():
    index, truth = cohort()
    jobs = {("cycle", 1): (truth, EMPTY), ("cycle", 2): (3 * truth, EMPTY)}
    patterns = group_patterns(jobs, {1: index, 2: index}, {1: truth, 2: truth})
    np.testing.assert_allclose(patterns["truth"], truth[2:].mean(0))
    np.testing.assert_allclose(patterns["cycle"], 2 * truth[2:].mean(0))
