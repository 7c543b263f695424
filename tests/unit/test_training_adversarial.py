"""Adversarial training: its terms by hand, its steps, what it chooses, and how it stops."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from counterwarp.errors import CounterwarpError
from counterwarp.networks.critic import Critic
from counterwarp.networks.generator import Generator, remove
from counterwarp.stats.ncc import ncc
from counterwarp.training import adversarial
from counterwarp.training.adversarial import (
    VARIANTS,
    DivergedError,
    Pairs,
    critic_step,
    generator_step,
    logistic_losses,
    longitudinal_ncc,
    mean_size,
    observed_pairs,
    total_variation,
    train_generator,
    two_point_penalty,
    wasserstein_losses,
    zero_centred_penalty,
)
from counterwarp.training.pack import Pack
from torch import nn

SETTINGS = {
    "channels": [2, 3],
    "critic_network": "plain",
    "critic_channels": [[2], [3]],
    "output_scale": 1.0,
    "fill": 0.0,
    "critic": "wgan_gp",
    "penalty_weight": 10.0,
    "regulariser_weight": 1.0,
    "learning_rate": 0.001,
    "batch_size": 2,
    "flip": True,
    "report_every": 2,
    "precision": "float32",
    "stages": [{"generator_updates": 1, "critic_updates": 3}, {"generator_updates": 4, "critic_updates": 1}],
}


class Slope(nn.Module):
    """D(x) = slope * sum of x / sqrt(voxels): its gradient has the length `slope` everywhere."""

    def __init__(self, slope):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(float(slope)))

    def forward(self, images):
        return self.slope * images.flatten(1).sum(1) / math.sqrt(images[0].numel())


def small_pack(grid=(8, 8), seed=1):
    """Controls are brighter than patients."""
    rows = [
        {"scan": f"{split}{group}{i}", "subject": f"{split}{group}{i}", "group": group, "split": split}
        for split in ("train", "validation")
        for group in ("control", "patient")
        for i in range(4)
    ]
    index = pd.DataFrame(rows).assign(baseline=True)
    images = np.random.default_rng(seed).normal(size=(16, *grid))
    images[(index["group"] == "control").to_numpy()] += 2
    return Pack(images.astype(np.float16), index)


def train(tmp_path, pack=None, **options):
    settings = SETTINGS | options.pop("settings", {})
    torch.manual_seed(3)
    return train_generator(
        pack or small_pack(), settings, torch.device("cpu"), tmp_path / options.pop("resume", "resume.pt"), **options
    )


@pytest.mark.parametrize("grid", [(5, 6), (4, 5, 6)])
def test_a_constant_displacement_costs_nothing_and_nor_does_its_gradient_fail(grid):
    displacement = torch.full((2, len(grid), *grid), 1.7, requires_grad=True)
    cost = total_variation(displacement)
    cost.backward()
    assert cost.item() == 0
    assert not displacement.grad.any()


def test_total_variation_by_hand():
    # Two columns differ by the vector (3, 4), of length 5, in each of three rows: six of six pixels meet it once.
    displacement = torch.zeros(1, 2, 3, 2)
    displacement[0, 0, :, 1], displacement[0, 1, :, 1] = 3, 4
    assert total_variation(displacement).item() == pytest.approx(6 * 5 / 6)
    # One corner of four moves by (0, 2): it and both of its neighbours see a difference of 2.
    displacement = torch.zeros(1, 2, 2, 2)
    displacement[0, 1, 0, 0] = 2
    assert total_variation(displacement).item() == pytest.approx((2 + 2 + 2 + 2) / 4)
    # A batch is averaged.
    assert total_variation(torch.cat([displacement, torch.zeros_like(displacement)])).item() == pytest.approx(1)


def test_the_size_of_a_change_by_hand():
    assert mean_size(torch.tensor([[[[-3.0, 1.0], [0.0, 2.0]]]])).item() == pytest.approx(6 / 4)


def test_losses_by_hand():
    healthy, removed = torch.tensor([1.0, 3.0]), torch.tensor([4.0, 8.0])
    assert [loss.item() for loss in wasserstein_losses(healthy, removed)] == [2 - 6, 6]
    critic, generator = logistic_losses(torch.tensor([0.0]), torch.tensor([0.0]))
    assert critic.item() == pytest.approx(2 * math.log(2))
    assert generator.item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("grid", [(4, 5), (3, 4, 5)])
def test_penalties_of_a_critic_whose_slope_is_known(grid):
    images = torch.randn(3, 1, *grid), torch.randn(3, 1, *grid)
    assert two_point_penalty(Slope(1), *images).item() == pytest.approx(0, abs=1e-9)
    assert two_point_penalty(Slope(4), *images).item() == pytest.approx(9)
    assert zero_centred_penalty(Slope(4), *images).item() == pytest.approx(8)


def test_the_two_point_penalty_looks_between_the_images_of_each_pair():
    class Square(nn.Module):
        def forward(self, images):
            return images.flatten(1).square().sum(1) / 2

    # The gradient is the image itself: of two points at 1 and 3 from zero, those between have slopes of 1 to 3.
    healthy, removed = torch.zeros(500, 1, 2, 2), torch.zeros(500, 1, 2, 2)
    healthy[:, 0, 0, 0], removed[:, 0, 0, 0] = 1, 3
    torch.manual_seed(1)
    # E (2 alpha)^2 = 4/3.
    assert two_point_penalty(Square(), healthy, removed).item() == pytest.approx(4 / 3, rel=0.1)
    assert zero_centred_penalty(Square(), healthy, removed).item() == pytest.approx(1 / 2)


@pytest.mark.parametrize("kind", ["wgan_gp", "r1"])
def test_a_step_of_one_network_leaves_the_other_as_it_is(kind):
    torch.manual_seed(1)
    generator, critic = Generator((8, 8), (2, 3)), Critic((8, 8), [[2], [3]])
    healthy, sick = torch.randn(2, 2, 1, 8, 8)
    settings = SETTINGS | {"critic": kind, "method": "defigan"}
    before = [[p.clone() for p in network.parameters()] for network in (generator, critic)]
    numbers = critic_step(generator, critic, torch.optim.Adam(critic.parameters()), healthy, sick, settings)
    assert all(p.grad is None and torch.equal(p, old) for p, old in zip(generator.parameters(), before[0], strict=True))
    assert any(not torch.equal(p, old) for p, old in zip(critic.parameters(), before[1], strict=True))
    assert numbers.keys() == {"distance", "penalty"}
    after = [p.clone() for p in critic.parameters()]
    numbers = generator_step(generator, critic, torch.optim.Adam(generator.parameters()), sick, settings)
    assert all(torch.equal(p, old) for p, old in zip(critic.parameters(), after, strict=True))
    assert any(not torch.equal(p, old) for p, old in zip(generator.parameters(), before[0], strict=True))
    assert numbers.keys() == {"score", "regulariser"}
    assert all(p.requires_grad for p in critic.parameters())


def test_the_critic_learns_to_give_modified_images_the_higher_score_and_the_generator_to_lower_it():
    torch.manual_seed(1)
    critic, healthy, sick = Slope(0.1), torch.full((2, 1, 4, 4), 1.0), torch.full((2, 1, 4, 4), 3.0)

    class Offset(nn.Module):
        output = "image"

        def __init__(self):
            super().__init__()
            self.offset = nn.Parameter(torch.tensor(-0.5))

        def forward(self, images):
            return self.offset.expand(len(images), 1, 4, 4)

    generator, settings = Offset(), SETTINGS | {"method": "vagan", "regulariser_weight": 0.0}
    of_critic, of_generator = (torch.optim.SGD(network.parameters(), 0.01) for network in (critic, generator))
    numbers = critic_step(generator, critic, of_critic, healthy, sick, settings)
    # Sums over 16 voxels divided by 4: 0.1 * 4 * (2.5 - 1).
    assert numbers["distance"] == pytest.approx(0.6)
    # The gradient of -slope * 6 + 10 (slope - 1)^2 at 0.1 is -6 - 18.
    assert critic.slope.item() == pytest.approx(0.1 + 0.01 * 24)
    generator_step(generator, critic, of_generator, sick, settings)
    assert generator.offset.item() == pytest.approx(-0.5 - 0.01 * 4 * 0.34)


@pytest.mark.parametrize("kind", ["wgan_gp", "r1"])
@pytest.mark.parametrize("grid", [(8, 8), (8, 8, 8)])
def test_sixteen_bits_step_nearly_as_thirty_two(grid, kind):
    stepped = []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(1)
        generator, critic = Generator(grid, (2, 3)), Critic(grid, [[2], [3]])
        healthy, sick = torch.randn(2, 4, 1, *grid)
        settings = SETTINGS | {"critic": kind, "method": "defigan", "precision": precision}
        numbers = critic_step(generator, critic, torch.optim.SGD(critic.parameters(), 0.01), healthy, sick, settings)
        numbers |= generator_step(generator, critic, torch.optim.SGD(generator.parameters(), 0.01), sick, settings)
        assert all(
            p.dtype == torch.float32 and p.isfinite().all() for p in [*generator.parameters(), *critic.parameters()]
        )
        stepped.append(list(numbers.values()))
    np.testing.assert_allclose(*stepped, rtol=0.05, atol=0.05)
    assert stepped[0] != stepped[1]


def test_without_a_pair_of_validation_subjects_the_distance_chooses(tmp_path, caplog):
    """As where a scan of each pair failed."""
    of_train = {"row": [0], "change": np.zeros((1, 8, 8)), "mask": np.ones((1, 8, 8), bool), "subject": ["1"]}
    np.savez(tmp_path / "pairs.npz", split=np.array(["train"]), **of_train)
    assert observed_pairs(Pack(np.zeros((1, 8, 8)), pd.DataFrame({"split": ["train"]})), tmp_path / "pairs.npz") is None
    assert "the critic's distance chooses" in caplog.text


@pytest.mark.parametrize("grid", [(8, 8), (4, 6, 5)])
@pytest.mark.parametrize(("method", "kind"), [("defigan", "wgan_gp"), ("vagan", "r1")])
def test_every_method_trains_in_both_dimensions_by_the_schedule(tmp_path, grid, method, kind):
    network, history = train(tmp_path, small_pack(grid), method=method, settings={"critic": kind})
    assert network.output == VARIANTS[method]["output"]
    assert not network.training
    assert history["update"].tolist() == [2, 4, 5]
    # Three critic updates for the first of the generator, then one for each.
    assert history["critic_updates"].tolist() == [4, 6, 7]
    assert history.drop(columns="validation_ncc").notna().all().all()
    assert history["validation_ncc"].isna().all()
    assert history["chosen"].sum() == 1


def test_training_is_the_same_for_the_same_seed(tmp_path):
    first, second = (train(tmp_path, resume=f"{i}.pt")[0] for i in range(2))
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("method", VARIANTS)
def test_in_evaluation_mode_the_generator_changes_images_as_much_as_in_training(tmp_path, method):
    pack = small_pack()
    generator, _ = train(tmp_path, pack, settings={"batch_size": 4}, method=method)
    images = pack.tensor(pack.rows("train", "patient"))
    with torch.no_grad():
        evaluated, trained = (generator.train(mode)(images).std().item() for mode in (False, True))
    assert evaluated == pytest.approx(trained, rel=0.1)


def test_the_additive_generator_brightens_patients_until_the_critic_finds_little(tmp_path):
    settings = {"stages": [{"generator_updates": 150, "critic_updates": 2}], "learning_rate": 0.01, "report_every": 15}
    settings |= {"regulariser_weight": 0.01, "batch_size": 4, "output_scale": 5.0, "critic_channels": [[8], [8]]}
    pack = small_pack()
    network, history = train(tmp_path, pack, method="vagan", settings=settings)
    images = pack.tensor(pack.rows("validation", "patient"))
    assert network(images).mean().item() == pytest.approx(2, abs=0.7)
    chosen = history[history["chosen"]].iloc[0]
    assert chosen["update"] > 75
    assert abs(chosen["validation_distance"]) == history["validation_distance"][history["update"] > 75].abs().min()


def known_pairs(pack):
    rows = pack.rows("validation", "patient")
    change = np.random.default_rng(1).normal(size=(len(rows), *pack.grid)).astype(np.float32)
    return Pairs(rows, change, np.ones(change.shape, bool), np.array(["a", "a", "a", "b"]))


def test_the_longitudinal_ncc_averages_within_subjects_first_and_heeds_the_mask():
    pack = small_pack()
    pairs = known_pairs(pack)

    class Told(Generator):
        """Gives the change of each of three pairs of one subject, and the opposite of the other's only pair."""

        def forward(self, image):
            row = next(i for i in range(4) if torch.equal(image, pack.tensor([pairs.rows[i]])))
            field = torch.from_numpy(pairs.change[row]) * (-1 if row == 3 else 1)
            field[0] = 0 if row == 3 else field[0]
            return field[None, None]

    pairs.mask[3, 0] = False
    told = Told((8, 8), (2, 3), "image")
    # Over the pairs the mean would be 1/2.
    assert longitudinal_ncc(told, pack, pairs) == pytest.approx(0, abs=1e-4)
    assert math.isnan(longitudinal_ncc(told, pack, None))


def test_with_pairs_the_generator_with_the_highest_ncc_is_returned(tmp_path):
    pack = small_pack()
    pairs = known_pairs(pack)
    network, history = train(tmp_path, pack, pairs=pairs)
    chosen = history[history["chosen"]].iloc[0]
    assert chosen["validation_ncc"] == history["validation_ncc"].max()
    assert longitudinal_ncc(network, pack, pairs) == pytest.approx(chosen["validation_ncc"])
    images = pack.tensor(pairs.rows)
    with torch.no_grad():
        predicted = (remove(network, images)[0] - images)[:, 0].numpy()
    values = pd.Series([ncc(*maps) for maps in zip(predicted, pairs.change, pairs.mask, strict=True)])
    assert values.groupby(pairs.subject).mean().mean() == pytest.approx(chosen["validation_ncc"], abs=1e-4)


def test_a_loss_that_is_not_finite_stops_the_training_and_keeps_the_best_generator(tmp_path, monkeypatch):
    step = adversarial.critic_step
    updates = []

    def failing(*arguments):
        updates.append(1)
        numbers = step(*arguments)
        return numbers | {"distance": math.nan} if len(updates) == 6 else numbers

    monkeypatch.setattr(adversarial, "critic_step", failing)
    with pytest.raises(DivergedError, match=r"generator update 4 \(critic update 6\): distance is nan") as caught:
        train(tmp_path)
    assert "that of update 2 is kept" in str(caught.value)
    kept = torch.load(tmp_path / "resume.pt", weights_only=True)["progress"]["best"]
    assert all(torch.equal(value, kept[name]) for name, value in caught.value.network.state_dict().items())
    assert caught.value.history["update"].tolist() == [2]


def test_a_critic_that_leaves_all_bounds_stops_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(adversarial, "LARGEST_PENALTY", 1e-9)
    with pytest.raises(DivergedError, match=r"generator update 1 .*critic's gradient is .*none was kept") as caught:
        train(tmp_path)
    assert caught.value.network is None


def test_a_split_without_patients_is_one_clear_error(tmp_path):
    pack = small_pack()
    pack.index.loc[(pack.index["split"] == "validation") & (pack.index["group"] == "patient"), "split"] = "test"
    with pytest.raises(CounterwarpError, match="no patient in split 'validation'"):
        train(tmp_path, pack)
