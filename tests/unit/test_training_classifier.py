"""The classifier learns what can be learned, and takes the best epoch; the pack that it reads is checked."""

import numpy as np
import pandas as pd
import pytest
import torch
from counterwarp.errors import CounterwarpError
from counterwarp.training.classifier import (
    _of_epoch,
    augment,
    balanced_order,
    logits,
    mix,
    of_logit,
    perturb,
    train_classifier,
)
from counterwarp.training.pack import Pack, read_pack
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

SETTINGS = {
    "channels": [4],
    "batch_norm": True,
    "average_from": 1.0,
    "report_every": 1,
    "precision": "float32",
    "hidden": 8,
    "dropout": 0.0,
    "flip": False,
    "shift_voxels": 0,
    "intensity": 0.0,
    "label_smoothing": 0.0,
    "mixup": 0.0,
    "perturbation": 0.0,
    "perturbation_share": 0.9,
    "plain_until": 0.0,
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "batch_size": 4,
    "epochs": 12,
}


CPU = torch.device("cpu")


def write_pack(folder, each=8, grid=(8, 8)):
    """Patients have a bright square that controls lack."""
    rng = np.random.default_rng(1)
    rows = [
        {"scan": f"sub-{name}", "subject": name, "group": group, "split": split}
        for split in ("train", "validation", "test")
        for group in ("control", "patient")
        for name in [f"{split[:2]}{group[0]}{i}" for i in range(each)]
    ]
    index = pd.DataFrame(rows).assign(baseline=True)
    images = rng.normal(0, 0.5, (len(rows), *grid)).astype(np.float16)
    images[(index["group"] == "patient").to_numpy(), 2:5, 2:5] += 2
    np.save(folder / "images.npy", images)
    index.rename_axis("row").to_csv(folder / "index.tsv", sep="\t")
    return folder / "images.npy", folder / "index.tsv"


def test_it_separates_groups_that_can_be_separated(tmp_path):
    torch.manual_seed(1)
    pack = read_pack(*write_pack(tmp_path))
    network, history = train_classifier(pack, SETTINGS, torch.device("cpu"), tmp_path / "resume.pt")
    test = pack.rows("test")
    assert ((logits(network, pack.tensor(test)) > 0) == pack.patients[test].bool()).float().mean() == 1
    assert len(history) == 12
    assert history["chosen"].sum() == 1
    assert history.loc[history["chosen"], "validation_loss"].item() == history["validation_loss"].min()
    assert not network.training


def test_the_network_returned_is_that_of_the_chosen_epoch(tmp_path):
    torch.manual_seed(2)
    pack = read_pack(*write_pack(tmp_path))
    # So large a learning rate makes the loss jump about, and the last epoch is hardly ever the best.
    settings = SETTINGS | {"learning_rate": 0.3}
    network, history = train_classifier(pack, settings, torch.device("cpu"), tmp_path / "resume.pt")
    rows = pack.rows("validation")
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits(network, pack.tensor(rows)), pack.patients[rows])
    assert loss.item() == pytest.approx(history["validation_loss"].min(), rel=1e-4)


def test_the_same_seed_gives_the_same_network(tmp_path):
    pack = read_pack(*write_pack(tmp_path))
    settings = SETTINGS | {"epochs": 2, "flip": True, "shift_voxels": 1, "intensity": 0.2, "dropout": 0.3}

    def train(seed, name):
        torch.manual_seed(seed)
        return train_classifier(pack, settings, torch.device("cpu"), tmp_path / name)[0].state_dict()

    first, second, other = train(1, "a"), train(1, "b"), train(2, "c")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_augmentation_mirrors_the_first_axis_and_shifts_by_whole_voxels():
    torch.manual_seed(3)
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    mirrored = augment(image.expand(50, -1, -1, -1), flip=True, shift_voxels=0)
    kept = [torch.equal(one, image[0]) for one in mirrored]
    flipped = [torch.equal(one, image[0].flip(1)) for one in mirrored]
    assert all(a != b for a, b in zip(kept, flipped, strict=True))
    assert 10 < sum(kept) < 40
    moved = augment(image.expand(50, -1, -1, -1), flip=False, shift_voxels=1)
    allowed = [image[0].roll((a, b), (1, 2)) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    assert all(any(torch.equal(one, candidate) for candidate in allowed) for one in moved)
    assert len({tuple(one.flatten().tolist()) for one in moved}) == 9


def test_augmentation_gives_each_image_its_own_gain_and_offset():
    torch.manual_seed(4)
    image = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3)
    changed = augment(image.expand(400, -1, -1, -1), flip=False, shift_voxels=0, intensity=0.2)[:, 0, 0]
    offset, gain = changed[:, 1], (changed[:, 2] - changed[:, 0]) / 2
    torch.testing.assert_close(changed[:, 2], gain + offset)
    assert offset.mean().item() == pytest.approx(0, abs=0.03)
    assert gain.mean().item() == pytest.approx(1, abs=0.03)
    assert offset.std().item() == pytest.approx(0.2, rel=0.15)
    assert gain.std().item() == pytest.approx(0.2, rel=0.15)


def test_smoothed_labels_keep_the_logits_small(tmp_path):
    pack = read_pack(*write_pack(tmp_path))
    rows = pack.rows("train")

    def largest(smoothing):
        torch.manual_seed(1)
        settings = SETTINGS | {"label_smoothing": smoothing, "epochs": 40}
        network, _ = train_classifier(pack, settings, torch.device("cpu"), tmp_path / f"{smoothing}")
        return logits(network, pack.tensor(rows)).abs().median().item()

    # The loss is least where sigmoid(logit) is 1 - 0.2, at a logit of log 4 = 1.39.
    assert largest(0.2) == pytest.approx(1.39, abs=0.5)
    assert largest(0.0) > 3


def test_a_subject_in_two_splits_is_refused(tmp_path):
    images, index = write_pack(tmp_path)
    table = pd.read_csv(index, sep="\t")
    table.loc[table["scan"] == "sub-trc0", "subject"] = "vap1"
    table.to_csv(index, sep="\t", index=False)
    with pytest.raises(CounterwarpError, match="scans of vap1 are in more than one split"):
        read_pack(images, index)


def test_a_table_of_another_length_is_refused(tmp_path):
    images, index = write_pack(tmp_path)
    np.save(images, np.load(images)[1:])
    with pytest.raises(CounterwarpError, match=r"47 images but .* 48 rows"):
        read_pack(images, index)


def test_subjects_keep_their_leading_zeros(tmp_path):
    images, index = write_pack(tmp_path)
    table = pd.read_csv(index, sep="\t")
    table["subject"] = [f"00{i}" for i in range(len(table))]
    table.to_csv(index, sep="\t", index=False)
    assert read_pack(images, index).index["subject"][7] == "007"


def test_mixing_pairs_gives_image_and_target_the_same_shares():
    """Images of constant value 0 and 1 with targets 0 and 1: whatever the shares, the mixture's value is its target."""
    torch.manual_seed(0)
    targets = torch.arange(64) % 2 * 1.0
    images = targets.reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    mixed, mixed_targets = mix(images, targets, alpha=1.0)
    torch.testing.assert_close(mixed.amax((1, 2, 3)), mixed_targets)
    torch.testing.assert_close(mixed.amin((1, 2, 3)), mixed_targets)
    assert ((mixed_targets > 0.05) & (mixed_targets < 0.95)).sum() > 15
    same, same_targets = mix(images, targets, alpha=0.0)
    assert same is images and same_targets is targets


def test_an_epoch_sees_both_groups_equally_often_and_everybody():
    is_patient = torch.tensor([False] * 11 + [True] * 4)
    counts = torch.bincount(balanced_order(is_patient), minlength=15)
    assert (counts[:11] == 1).all() and counts[11:].sum() == 11 and set(counts[11:].tolist()) == {2, 3}
    orders = {tuple(balanced_order(is_patient).tolist()) for _ in range(5)}
    assert len(orders) == 5
    alike = balanced_order(torch.tensor([True, False, False, True]))
    assert sorted(alike.tolist()) == [0, 1, 2, 3]


def test_a_perturbation_misleads_by_the_size_asked_for():
    gradients = torch.tensor([[[[1.0, -2.0], [2.0, 0.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])
    images = torch.ones(2, 1, 2, 2)
    moved = perturb(images, gradients, torch.tensor([-1.0, 1.0]), torch.tensor([100.0, 100.0]), 0.3, 0.5)
    # The gradient's root mean square is sqrt((1 + 4 + 4) / 4) = 1.5; where there is none, the image stays.
    torch.testing.assert_close(moved[0], 1 - 0.2 * gradients[0])
    assert torch.equal(moved[1], images[1])
    assert (moved[0] - 1).square().mean().sqrt().item() == pytest.approx(0.3)


def test_a_perturbation_takes_at_most_a_share_of_the_logit_and_nothing_of_one_that_is_wrong():
    gradients = torch.tensor([[[[1.0, -2.0], [2.0, 0.0]]]]).repeat(2, 1, 1, 1)
    images = torch.ones(2, 1, 2, 2)
    # Of a linear classifier the logit moves by the gradient times the change: here from 0.6 on the right side to 0.3.
    moved = perturb(images, gradients, torch.tensor([-1.0, -1.0]), torch.tensor([0.6, -0.6]), 10.0, 0.5)
    assert (gradients[0] * (moved[0] - images[0])).sum().item() == pytest.approx(-0.3)
    assert torch.equal(moved[1], images[1])


def test_gradients_of_the_logit_come_from_those_of_the_loss():
    weights = torch.tensor([0.5, -1.0])
    images, targets = torch.tensor([[1.0, 2.0], [3.0, -1.0]], requires_grad=True), torch.tensor([0.05, 0.95])
    logits = images @ weights
    cross_entropy(logits, targets).backward()
    torch.testing.assert_close(of_logit(images.grad, logits.detach(), targets), weights.expand(2, 2))


def test_mixup_and_perturbation_begin_late_and_the_perturbation_grows_until_weights_are_averaged():
    settings = {"epochs": 20, "mixup": 1.0, "perturbation": 0.4, "plain_until": 0.25, "average_from": 0.5}
    of_epochs = [_of_epoch(epoch, settings) for epoch in (0, 4, 5, 7, 10, 19)]
    assert [each["mixup"] for each in of_epochs] == [0, 0, 1, 1, 1, 1]
    assert [each["perturbation"] for each in of_epochs] == pytest.approx([0, 0, 0, 0.4 * 2 / 5, 0.4, 0.4])
    # Where weights are averaged earlier, it is whole at once.
    assert _of_epoch(5, settings | {"average_from": 0.1})["perturbation"] == 0.4


def test_a_classifier_that_is_misled_in_training_is_harder_to_mislead(tmp_path):
    pack = read_pack(*write_pack(tmp_path))
    images, targets = pack.tensor(pack.rows("test")), pack.patients[pack.rows("test")]
    losses = []
    for perturbation in (0.0, 0.4):
        torch.manual_seed(1)
        settings = SETTINGS | {"perturbation": perturbation}
        network, _ = train_classifier(pack, settings, CPU, tmp_path / f"{perturbation}.pt")
        plain = images.clone().requires_grad_()
        cross_entropy(network(plain), targets).backward()
        towards = 1 - 2 * targets
        against = perturb(
            images, plain.grad * towards.reshape(-1, 1, 1, 1), towards, torch.full((len(images),), 1e6), 0.4, 1.0
        )
        losses.append(cross_entropy(network(against), targets).item())
    assert losses[1] < 0.8 * losses[0]


def test_late_epochs_are_averaged_and_the_training_is_not_changed_by_it(tmp_path):
    pack = read_pack(*write_pack(tmp_path))

    def train(epochs, average_from):
        torch.manual_seed(3)
        settings = SETTINGS | {"average_from": average_from, "epochs": epochs, "learning_rate": 1e-4}
        file = tmp_path / f"{epochs}-{average_from}.pt"
        network, history = train_classifier(pack, settings, torch.device("cpu"), file)
        return network.state_dict(), history

    # With so small a learning rate each epoch is better than the one before, so that the last is taken.
    (second, _), (third, of_plain) = train(2, 1.0), train(3, 1.0)
    mean, of_mean = train(3, 0.4)
    assert of_plain["train_loss"].equals(of_mean["train_loss"])
    assert of_plain["chosen"].tolist() == of_mean["chosen"].tolist() == [False, False, True]
    for name in ("head.2.weight", "blocks.0.0.weight"):
        torch.testing.assert_close(mean[name], (second[name] + third[name]) / 2)
        assert not torch.equal(mean[name], third[name])


def test_batch_norm_of_averaged_weights_is_taken_anew_from_the_training_images(tmp_path):
    torch.manual_seed(4)
    pack = read_pack(*write_pack(tmp_path))
    settings = SETTINGS | {"average_from": 0.0, "epochs": 2}
    network, _ = train_classifier(pack, settings, torch.device("cpu"), tmp_path / "resume.pt")
    features = network.blocks[0][0](pack.tensor(pack.rows("train"))).detach()
    torch.testing.assert_close(network.blocks[0][1].running_mean, features.mean((0, 2, 3)), atol=1e-4, rtol=1e-4)


def test_epochs_before_averaging_are_not_chosen(tmp_path):
    torch.manual_seed(5)
    pack = read_pack(*write_pack(tmp_path))
    settings = SETTINGS | {"average_from": 0.75, "epochs": 4, "learning_rate": 0.3}
    _, history = train_classifier(pack, settings, torch.device("cpu"), tmp_path / "resume.pt")
    assert history["chosen"].tolist() == [False, False, False, True]


def test_validation_every_few_epochs_and_after_the_last(tmp_path):
    torch.manual_seed(6)
    pack = read_pack(*write_pack(tmp_path))
    settings = SETTINGS | {"report_every": 3, "epochs": 7}
    _, history = train_classifier(pack, settings, torch.device("cpu"), tmp_path / "a.pt")
    assert history["epoch"].tolist() == [3, 6, 7]
    torch.manual_seed(6)
    _, each = train_classifier(pack, settings | {"report_every": 1}, torch.device("cpu"), tmp_path / "b.pt")
    assert history["train_loss"].tolist() == pytest.approx(
        [each["train_loss"][:3].mean(), each["train_loss"][3:6].mean(), each["train_loss"][6]]
    )
    assert history["validation_loss"].tolist() == each["validation_loss"].iloc[[2, 5, 6]].tolist()


def test_training_sees_random_crops_of_frames_and_everything_else_their_centres():
    frames = np.arange(2 * 6 * 7, dtype=np.float16).reshape(2, 6, 7)
    index = pd.DataFrame({"scan": ["a", "b"], "split": "train", "group": "control"})
    pack = Pack(frames[:, 1:5, 2:5], index, frames)
    torch.manual_seed(0)
    crops = pack.crops([1] * 200)
    assert crops.shape == (200, 1, 4, 3)
    # Row 1's frame starts with 42; its crops start at any of 3 x 5 places, and each is a part of the frame.
    assert {int(crop[0, 0, 0]) - 42 for crop in crops} == {7 * i + j for i in range(3) for j in range(5)}
    assert all(
        (crop[0] - crop[0, 0, 0]).tolist() == [[0, 1, 2], [7, 8, 9], [14, 15, 16], [21, 22, 23]] for crop in crops
    )
    torch.testing.assert_close(pack.tensor([1])[0, 0], torch.from_numpy(frames[1, 1:5, 2:5].astype(np.float32)))
    without = Pack(frames, index)
    torch.testing.assert_close(without.crops([0]), without.tensor([0]))
