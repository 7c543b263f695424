"""Sanity checks: what is made to know nothing knows nothing, and the verdict follows."""

import numpy as np
import pandas as pd
import pytest
import torch
from counterwarp.arrays import AT_A_TIME, Rows
from counterwarp.explain import build
from counterwarp.networks.classifier import Classifier
from counterwarp.stats.sanity import similarities, similarity, verdicts
from counterwarp.training.pack import Pack
from counterwarp.training.sanity import layers_of, randomise, shuffle_labels


def test_shuffled_labels_keep_the_counts_of_each_split_and_a_subject_whole():
    rows = [(f"s{i}", "train" if i < 12 else "test", "control" if i % 2 else "patient") for i in range(20)]
    index = pd.DataFrame([row for row in rows for _ in range(2)], columns=["subject", "split", "group"])
    pack = Pack(np.zeros((40, 2, 2), np.float16), index)
    dealt = shuffle_labels(pack, 3).index
    assert (dealt["group"] != index["group"]).any()
    assert (dealt.groupby("subject")["group"].nunique() == 1).all()
    counts = [table.groupby(["split", "group"]).size().to_dict() for table in (index, dealt)]
    assert counts[0] == counts[1]
    assert shuffle_labels(pack, 3).index.equals(dealt)


def test_layers_are_drawn_anew_from_the_last_and_the_original_stays():
    torch.manual_seed(1)
    network = Classifier((8, 8), (2, 3), 4, 0.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    # Two blocks of convolution and batch norm, two linear layers.
    assert len(layers_of(network)) == 6
    head, all_of_it = randomise(network, 2, 5), randomise(network, 6, 5)
    changed = {name for name, value in head.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.2.weight", "head.2.bias", "head.4.weight", "head.4.bias"}
    assert not torch.equal(all_of_it.state_dict()["blocks.0.0.weight"], before["blocks.0.0.weight"])
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(torch.equal(a, b) for a, b in zip(head.parameters(), randomise(network, 2, 5).parameters(), strict=True))
    with pytest.raises(ValueError, match="has 6 layers with weights, 7"):
        randomise(network, 7, 5)


def test_new_weights_are_not_those_that_a_training_of_the_same_seed_began_with():
    torch.manual_seed(5)
    network = Classifier((8, 8), (2, 3), 4, 0.0)
    anew = randomise(network, 6, 5)
    assert not torch.equal(anew.blocks[0][0].weight, network.blocks[0][0].weight)
    assert not torch.equal(anew.head[4].weight, network.head[4].weight)


def test_similarity_ignores_sign_and_scale_and_a_constant_map_is_like_nothing():
    maps = np.random.default_rng(1).normal(size=(3, 4, 5))
    mask = np.ones((4, 5), bool)
    assert similarity(maps, -3 * maps, mask) == pytest.approx(1)
    changed = maps.copy()
    changed[0] = 7
    assert similarity(maps, changed, mask) == pytest.approx(2 / 3)


def test_similarity_of_arrays_on_disk_is_that_of_the_same_in_memory(tmp_path):
    for name in ("maps", "changed"):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(len(name)).normal(size=(AT_A_TIME + 7, 4, 5)))
    rows, mask = np.arange(AT_A_TIME + 5)[::-1], np.ones((4, 5), bool)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("maps", "changed")]
    whole = similarity(*(np.array(array)[rows] for array in mapped), mask)
    assert similarity(*(Rows(array, rows) for array in mapped), mask) == whole > 0


@pytest.mark.parametrize("method", ["backprop", "guided_backprop", "gradcam", "guided_gradcam"])
def test_similarities_of_a_few_scans_at_a_time_are_those_of_all_at_once(method):
    torch.manual_seed(1)
    network, images = Classifier((8, 8), (2, 3), 4, 0.0).eval(), torch.randn(70, 1, 8, 8)
    patients, mask = torch.arange(70) % 2, np.ones((8, 8), bool)
    own, others = build(method, network), {n: build(method, randomise(network, n, 5)) for n in (2, 6)}
    maps = own.explain(images, patients).numpy()
    whole = {n: similarity(maps, other.explain(images, patients).numpy(), mask) for n, other in others.items()}
    assert similarities(own, others, images, patients, mask) == whole
    assert 0 < whole[6] < whole[2] < 1


def test_the_verdict_is_given_where_nothing_is_left_of_what_was_learned():
    rows = [("a", 1, "layers drawn anew", 1, 2, 0.9), ("a", 1, "layers drawn anew", 2, 2, 0.6)]
    rows += [("a", 1, "labels shuffled", 0, 2, 0.2), ("a", 1, "labels shuffled", 0, 2, 0.5)]
    table = pd.DataFrame(rows, columns=["method", "seed", "check", "layers", "of", "similarity"])
    assert verdicts(table)["verdict"].to_list() == ["", "FAILS", "passes", "FAILS"]
