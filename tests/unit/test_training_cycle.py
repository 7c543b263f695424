"""The terms of the joint objective by hand, and a training on a problem whose answer is known."""

import numpy as np
import pandas as pd
import pytest
import torch
from counterwarp.errors import CounterwarpError
from counterwarp.networks.classifier import Classifier
from counterwarp.networks.simulator import INJECT, REMOVE, Simulator
from counterwarp.networks.warp import identity
from counterwarp.training.cycle import (
    diffusion,
    know,
    logit_shift_loss,
    objective,
    other_group_loss,
    recalibrate,
    train_simulator,
)
from counterwarp.training.pack import Pack
from torch import nn

SETTINGS = {
    "channels": [2, 3],
    "fully_connected": 4,
    "experts": 2,
    "output": "displacement",
    "output_level": 0,
    "logit_loss": "shift",
    "delta": 4.0,
    "logit_weight": 1.0,
    "cycle_weight": 10.0,
    "smoothness_weight": 5.0,
    "flip": False,
    "learning_rate": 0.01,
    "gradient_norm": 10.0,
    "batch_size": 2,
    "steps": 4,
    "recalibration_batches": 3,
    "report_every": 2,
    "precision": "float32",
}

CPU = torch.device("cpu")


class Brightness(nn.Module):
    """A classifier whose logit is the mean of the image's upper half."""

    def forward(self, images):
        return images[:, 0, : images.shape[2] // 2].flatten(1).mean(1)


def small_pack(grid=(8, 8), each=4):
    """Controls and patients in both splits; noise."""
    images = np.random.default_rng(1).normal(size=(4 * each, *grid)).astype(np.float16)
    rows = [
        {"scan": f"sub-{group[0]}{split[0]}{i}", "subject": f"{group[0]}{split[0]}{i}", "group": group, "split": split}
        for split in ("train", "validation")
        for group in ("control", "patient")
        for i in range(each)
    ]
    return Pack(images, pd.DataFrame(rows).rename_axis("row").reset_index().assign(baseline=True))


def test_the_logit_shift_loss_by_hand():
    task = torch.tensor([INJECT, INJECT, REMOVE, REMOVE])
    before = torch.tensor([-2.0, -1.0, 3.0, 1.0])
    after = torch.tensor([1.0, 9.0, 1.0, 2.0])
    # Injection: before - after is -3 and -10, the latter held at -4; removal: after - before is -2 and 1.
    assert logit_shift_loss(before, after, task, 4.0).item() == pytest.approx((-3 - 4 - 2 + 1) / 4)


def test_a_shift_beyond_delta_has_no_gradient():
    after = torch.tensor([9.0], requires_grad=True)
    logit_shift_loss(torch.zeros(1), after, torch.tensor([INJECT]), 4.0).backward()
    assert after.grad.item() == 0


@pytest.mark.parametrize("grid", [(7, 5), (4, 6, 5)])
def test_diffusion_of_a_constant_is_0_and_of_a_linear_field_the_sum_of_its_squared_slopes(grid):
    assert diffusion(torch.full((2, len(grid), *grid), 3.0)).item() == 0
    slopes = torch.arange(1.0, len(grid) ** 2 + 1).reshape(len(grid), len(grid))
    linear = torch.einsum("ij,bj...->bi...", slopes, identity(torch.Size(grid), torch.zeros(1)))
    # 1 + 4 + 9 + 16 = 30 in the plane; 1 + ... + 81 = 285 in space; the same for a batch of it.
    expected = {2: 30.0, 3: 285.0}[len(grid)]
    assert diffusion(linear.repeat(3, *[1] * (len(grid) + 1))).item() == pytest.approx(expected, rel=1e-4)


def test_at_the_identity_the_objective_has_no_terms():
    network = Simulator((8, 8), (2, 3), 4, 2)
    nn.init.zeros_(network.last.weight)
    terms = objective(network, Brightness(), torch.randn(4, 1, 8, 8), torch.tensor([0.0, 0.0, 1.0, 1.0]), SETTINGS)
    assert {name: pytest.approx(0, abs=1e-6) for name in terms} == {name: term.item() for name, term in terms.items()}


def test_logits_known_beforehand_are_those_of_the_images_taken_mirrored_or_not():
    torch.manual_seed(2)
    images, mirrored = torch.randn(3, 1, 4, 4), torch.tensor([False, True, True])
    taken, known = know(images, Brightness(), flip=True).take(torch.tensor([2, 2, 0]), mirrored)
    torch.testing.assert_close(taken, torch.stack([images[2], images[2].flip(1), images[0].flip(1)]))
    torch.testing.assert_close(known, Brightness()(taken))
    assert (known[0] - known[1]).abs() > 0.01


def test_logits_known_beforehand_change_no_term():
    torch.manual_seed(6)
    network, images, task = Simulator((8, 8), (2, 3), 4, 2), torch.randn(2, 1, 8, 8), torch.tensor([INJECT, REMOVE])
    nn.init.normal_(network.last.weight)
    network.eval()
    computed, known = (
        objective(network, Brightness(), images, task, SETTINGS, before) for before in (None, Brightness()(images))
    )
    assert computed["shift"].abs() > 0.001
    torch.testing.assert_close(computed, known)


def test_recalibrated_statistics_make_evaluation_agree_with_training():
    torch.manual_seed(4)
    network = Simulator((8, 8), (2, 3), 4, 2)
    images = 5 + 3 * torch.randn(2, 1, 8, 8)
    norm = network.encoder_norms[0]
    assert norm.running_mean.abs().max() == 0
    # With one image a group every batch is the same, so the statistics are those of the two passes through it.
    seen = []
    norm.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].mean((0, 2, 3))))
    recalibrate(
        network, know(images[:1], Brightness(), flip=False), know(images[1:], Brightness(), flip=False), SETTINGS
    )
    torch.testing.assert_close(norm.running_mean, torch.stack(seen).mean(0))
    assert norm.momentum == 0.1


def test_training_shifts_the_logits_of_both_groups_in_evaluation_mode(tmp_path):
    torch.manual_seed(5)
    pack = small_pack(grid=(12, 12), each=6)
    ramp = np.linspace(-2, 2, 12, dtype=np.float16)
    pack.images[:] = ramp[None, None, :] + 0.1 * pack.images
    classifier = LeftRight()
    settings = SETTINGS | {"steps": 120, "delta": 1.0, "smoothness_weight": 0.1, "report_every": 60}
    network, history = train_simulator(pack, classifier, settings, torch.device("cpu"), tmp_path / "resume.pt")
    assert list(history["step"]) == [60, 120]
    assert history["validation_shift"].iloc[-1] > 0.5
    assert history["validation_cycle"].iloc[-1] < 0.5
    assert not network.training


class LeftRight(nn.Module):
    """A logit that grows as bright tissue moves towards the middle columns."""

    def forward(self, images):
        return 3 * images[:, 0, :, 4:8].flatten(1).mean(1)


def test_mirror_images_are_averaged_where_to_the_classifier_they_are_one(tmp_path):
    def trained(classifier, name, flip):
        return train_simulator(small_pack(), classifier, SETTINGS | {"flip": flip}, CPU, tmp_path / name)[0].mirror

    mirrored = Classifier((8, 8), (2,), 4, 0.0, mirror=True)
    assert trained(mirrored, "both", True)
    assert not trained(mirrored, "not flipped", False)
    assert not trained(Brightness(), "two", True)


def test_delta_is_taken_from_the_classifier(tmp_path):
    pack = small_pack()
    patients = pack.patients.bool().numpy()
    pack.images[patients] = 3.0
    pack.images[~patients] = -1.0
    settings = SETTINGS | {"delta": "auto", "steps": 1}
    _, history = train_simulator(pack, Brightness(), settings, torch.device("cpu"), tmp_path / "resume.pt")
    # A constant image cannot be changed by a warp, so the loss is 0; a shift of delta = 3 - -1 would be -4.
    assert history["train_logit"].iloc[0] == pytest.approx(0, abs=1e-4)
    from counterwarp.training.cycle import _delta

    images = [pack.tensor(pack.rows("train", group)) for group in ("control", "patient")]
    both = [know(group, Brightness(), flip=False) for group in images]
    assert _delta("auto", *both) == pytest.approx(4)
    assert _delta(12.5, *both) == 12.5


def test_cross_entropy_to_the_other_group_by_hand():
    after, task = torch.tensor([0.0, 2.0]), torch.tensor([INJECT, REMOVE])
    # Injected: -log(sigmoid(0)); removed: -log(1 - sigmoid(2)).
    expected = (np.log(2) + np.log(1 + np.exp(2))) / 2
    assert other_group_loss(after, task).item() == pytest.approx(expected)


def test_gradient_of_diffusion_is_that_of_its_finite_differences():
    torch.manual_seed(1)
    for grid in ((4, 5), (3, 4, 2)):
        field = torch.randn(2, len(grid), *grid, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(diffusion, field)


@pytest.mark.parametrize(("method", "output"), [("cycle_bce", "velocity"), ("cycle_two_encoders", "image")])
def test_every_variant_trains(tmp_path, method, output):
    settings = SETTINGS | {"output": output, "smoothness_weight": 0.1}
    network, history = train_simulator(
        small_pack(), Brightness(), settings, torch.device("cpu"), tmp_path / "resume.pt", method=method
    )
    assert list(history["step"]) == [2, 4]
    assert history.notna().all().all()
    assert network.output == output
    # Cross-entropy is never below 0; the logit shift's loss is when it works at all.
    assert method != "cycle_bce" or (history["train_logit"] > 0).all()


@pytest.mark.parametrize(
    ("method", "output", "trained"),
    [("cycle_velocity", "displacement", "velocity"), ("cycle_displacement", "velocity", "displacement")],
)
def test_a_method_that_names_its_output_has_it_whatever_the_settings_say(tmp_path, method, output, trained):
    settings = SETTINGS | {"output": output, "steps": 1}
    network, _ = train_simulator(small_pack(), Brightness(), settings, CPU, tmp_path / "resume.pt", method=method)
    assert network.settings["output"] == trained


@pytest.mark.parametrize("output", ["displacement", "velocity", "image"])
def test_sixteen_bits_train_to_nearly_the_same(tmp_path, output):
    trained = []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(3)
        settings = SETTINGS | {"output": output, "precision": precision, "output_level": int(output == "velocity")}
        network, history = train_simulator(small_pack(), Brightness(), settings, CPU, tmp_path / f"{precision}.pt")
        assert all(value.dtype == torch.float32 for value in network.parameters())
        trained.append(history["train_total"].to_numpy())
    first, second = np.transpose(trained)
    # Eight bits of mantissa: a relative error of about 1/256 an operation.
    np.testing.assert_allclose(*first, rtol=0.03, atol=0.03)
    # Adam's first step knows the signs of the gradients only, and rounding turns those of small ones.
    np.testing.assert_allclose(*second, rtol=0.1, atol=0.03)
    assert (trained[0] != trained[1]).any()


def test_a_split_without_patients_is_one_clear_error(tmp_path):
    pack = small_pack()
    pack.index.loc[(pack.index["split"] == "train") & (pack.index["group"] == "patient"), "split"] = "test"
    with pytest.raises(CounterwarpError, match="no patient in split 'train'"):
        train_simulator(pack, Brightness(), SETTINGS, torch.device("cpu"), tmp_path / "resume.pt")
