"""The generator and the critic: the paper's sizes, any grid, the start near the identity."""

import pytest
import torch
from counterwarp.networks import files
from counterwarp.networks.critic import Critic
from counterwarp.networks.generator import Generator, remove

GRIDS = [(17, 20), (12, 10, 9)]
CRITIC = [[16], [32], [64, 64], [128, 128], [256, 256, 256]]


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("grid", "channels", "millions"),
    [((224, 224), (64, 128, 256, 512, 1024), 34.5), ((128, 160, 112), (16, 32, 64, 128), 1.61)],
)
def test_the_papers_generators_have_their_numbers_of_parameters(grid, channels, millions):
    assert parameters(Generator(grid, channels)) / 1e6 == pytest.approx(millions, abs=0.05 if millions > 2 else 0.005)


def test_the_paper_s_critic_has_ten_layers_and_its_number_of_parameters():
    critic = Critic((128, 160, 112), CRITIC)
    assert len([module for module in critic.modules() if hasattr(module, "weight")]) == 10
    assert parameters(critic) / 1e6 == pytest.approx(5.27, abs=0.005)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("output", ["displacement", "image"])
def test_the_generator_starts_near_the_identity_on_any_grid(grid, output):
    torch.manual_seed(1)
    generator = Generator(grid, (4, 6, 8), output, output_scale=3.0)
    field = generator(torch.randn(4, 1, *grid))
    assert field.shape == (4, 1 if output == "image" else len(grid), *grid)
    # The last batch norm gives each feature an sd of about 0.1.
    assert field.std().item() == pytest.approx(0.3, rel=0.3)
    assert abs(field.mean().item()) < 1e-3


def test_the_output_scale_is_a_factor():
    one, ten = (Generator((8, 8), (2, 3), output_scale=scale).eval() for scale in (1.0, 10.0))
    ten.load_state_dict(one.state_dict())
    images = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(ten(images), 10 * one(images))


def test_every_parameter_of_both_is_used():
    generator, critic = Generator((8, 8, 8), (2, 3)), Critic((8, 8, 8), [[2], [3, 3]])
    removed, _ = remove(generator, torch.randn(4, 1, 8, 8, 8))
    (critic(removed) ** 2).sum().backward()
    for network in (generator, critic):
        # A bias before batch norm is taken out again: its gradient is rounding.
        assert [name for name, value in network.named_parameters() if value.grad is None] == []


def test_what_is_removed_by_an_image_is_added_and_by_a_displacement_is_warped():
    images = torch.arange(16.0).reshape(1, 1, 4, 4)

    class Fixed(torch.nn.Module):
        def __init__(self, output, field):
            super().__init__()
            self.output, self.fill, self.field = output, -1.0, field

        def forward(self, _):
            return self.field

    added, _ = remove(Fixed("image", torch.full((1, 1, 4, 4), 2.0)), images)
    torch.testing.assert_close(added, images + 2)
    shift = torch.zeros(1, 2, 4, 4)
    shift[:, 0] = 1
    warped, _ = remove(Fixed("displacement", shift), images)
    torch.testing.assert_close(warped[0, 0, :3], images[0, 0, 1:])
    torch.testing.assert_close(warped[0, 0, 3], torch.full((4,), -1.0))


@pytest.mark.parametrize("grid", GRIDS)
def test_the_critic_gives_one_score_an_image_and_images_do_not_mix(grid):
    critic = Critic(grid, [[2], [3, 4]])
    images = torch.randn(3, 1, *grid)
    assert critic(images).shape == (3,)
    torch.testing.assert_close(critic(images)[1:2], critic(images[1:2]))


def test_a_critic_s_score_by_hand():
    critic = Critic((4, 4), [[1], [1]])
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.zero_()
        for layer in critic.layers:
            if hasattr(layer, "weight"):
                layer.weight[(..., *[layer.kernel_size[0] // 2] * 2)] = 2
        critic.layers[-1].bias.fill_(-1)
    # Each of three convolutions doubles; the largest of each 2 x 2 block are 5, 7, 13 and 15, their mean is 10.
    assert critic(torch.arange(16.0).reshape(1, 1, 4, 4)).item() == pytest.approx(8 * 10 - 1)


def test_too_many_poolings_are_refused_with_the_grid():
    for build in (lambda: Generator((4, 5), [2] * 4), lambda: Critic((4, 5), [[2]] * 4)):
        with pytest.raises(ValueError, match="4x5 cannot be pooled 3 times"):
            build()


@pytest.mark.parametrize("network", [Generator((8, 8), (2, 3), "image", 2.0), Critic((8, 8), [[2], [3]])])
def test_both_come_back_from_their_files(tmp_path, network):
    paths = tmp_path / "w.safetensors", tmp_path / "a.json"
    files.save(network, *paths)
    again = files.load([Generator, Critic], *paths)
    images = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(again(images), network.eval()(images))
