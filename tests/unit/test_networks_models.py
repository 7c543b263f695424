"""The classifier, the simulator and their files."""

import json

import pytest
import torch
from counterwarp.errors import ConfigError, CounterwarpError
from counterwarp.networks import files
from counterwarp.networks.classifier import Classifier
from counterwarp.networks.device import prepare
from counterwarp.networks.simulator import INJECT, REMOVE, Simulator
from counterwarp.networks.warp import warp

GRIDS = [(17, 20), (12, 10, 9)]


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_paper_s_classifier_has_its_number_of_parameters():
    assert parameters(Classifier((64, 64, 64), (16, 32, 64, 16), 64, 0.05)) == 163_249


@pytest.mark.parametrize("grid", GRIDS)
def test_the_classifier_gives_one_logit_an_image_on_any_grid(grid):
    network = Classifier(grid, (2, 3), 4, 0.0).eval()
    images = torch.randn(3, 1, *grid)
    assert network(images).shape == (3,)
    torch.testing.assert_close(network(images)[1:2], network(images[1:2]))


def test_too_many_poolings_are_refused_with_the_grid():
    with pytest.raises(ValueError, match="12x10x9 cannot be pooled 4 times"):
        Classifier((12, 10, 9), (2, 2, 2, 2), 4, 0.0)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("output_level", [0, 1])
def test_the_simulator_starts_near_the_identity(grid, output_level):
    torch.manual_seed(1)
    network = Simulator(grid, (4, 6, 5), 8, 3, output_level)
    images, task = torch.randn(4, 1, *grid), torch.tensor([INJECT, INJECT, REMOVE, REMOVE])
    displacement = network(images, task)
    assert displacement.shape == (4, len(grid), *grid)
    assert displacement.abs().max() < 0.1
    assert (warp(images, displacement) - images).abs().mean() < 0.02


def test_a_last_layer_of_zeros_is_the_identity_exactly():
    network = Simulator((8, 9, 10), (2, 3), 4, 2)
    torch.nn.init.zeros_(network.last.weight)
    images = torch.randn(2, 1, 8, 9, 10)
    displacement = network(images, torch.tensor([INJECT, REMOVE]))
    assert torch.equal(displacement, torch.zeros_like(displacement))
    torch.testing.assert_close(warp(images, displacement), images, atol=1e-5, rtol=1e-5)


def test_the_two_tasks_give_different_displacements_of_one_image():
    network = Simulator((8, 8), (2, 3), 4, 2).eval()
    image = torch.randn(1, 1, 8, 8).expand(2, -1, -1, -1)
    inject, remove = network(image, torch.tensor([INJECT, REMOVE]))
    assert (inject - remove).abs().max() > 1e-6


def test_every_parameter_of_the_simulator_is_used():
    network = Simulator((8, 8, 8), (2, 3), 4, 2, output_level=1)
    network(torch.randn(4, 1, 8, 8, 8), torch.tensor([INJECT, INJECT, REMOVE, REMOVE])).square().sum().backward()
    unused = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert unused == []


def test_a_network_comes_back_from_its_files(tmp_path):
    network = Simulator((8, 8), (2, 3), 4, 2)
    files.save(network, tmp_path / "w.safetensors", tmp_path / "a.json")
    again = files.load(Simulator, tmp_path / "w.safetensors", tmp_path / "a.json")
    assert not again.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_files_of_another_network_are_refused(tmp_path):
    paths = tmp_path / "w.safetensors", tmp_path / "a.json"
    files.save(Classifier((8, 8), (2,), 4, 0.0), *paths)
    with pytest.raises(CounterwarpError, match="describes a Classifier, not a Simulator"):
        files.load(Simulator, *paths)
    text = json.loads(paths[1].read_text())
    text["settings"]["hidden"] = 5
    paths[1].write_text(json.dumps(text))
    with pytest.raises(CounterwarpError, match="train it again"):
        files.load(Classifier, *paths)


def test_an_unknown_or_absent_device_is_a_configuration_error():
    with pytest.raises(ConfigError, match="'gpu' is not one of auto, cpu, cuda"):
        prepare("gpu", 1)
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="torch sees no GPU"):
            prepare("cuda", 1)
