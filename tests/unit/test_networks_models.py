"""The classifier, the simulator and their files."""

import json
import math

import pytest
import torch
from counterwarp.errors import ConfigError, CounterwarpError
from counterwarp.networks import files
from counterwarp.networks.classifier import Classifier, frozen
from counterwarp.networks.condconv import convolution
from counterwarp.networks.device import prepare
from counterwarp.networks.simulator import INJECT, REMOVE, Simulator, TwoSimulators, displacement_of, simulate
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


def test_a_mirrored_classifier_gives_an_image_and_its_mirror_image_one_logit():
    torch.manual_seed(1)
    network = Classifier((12, 10, 9), (2, 3), 4, 0.0, mirror=True)
    images = torch.randn(3, 1, 12, 10, 9)
    assert not torch.allclose(network.train()(images), network(images.flip(2)))
    network.eval()
    torch.testing.assert_close(network(images), network(images.flip(2)))
    torch.testing.assert_close(network(images), (network.one_view(images) + network.one_view(images.flip(2))) / 2)


@pytest.mark.parametrize(("grid", "batch_norm"), [((16, 18), False), ((10, 12, 9), True)])
def test_a_frozen_classifier_is_the_same_function_with_the_same_gradient(grid, batch_norm):
    torch.manual_seed(1)
    # Of double precision, for by rounding another voxel may be the largest of those that are pooled.
    network = Classifier(grid, (4, 6), 8, 0.2, batch_norm, mirror=True).double()
    for _ in range(5):  # statistics of batch norm that are not 0 and 1
        network(torch.randn(6, 1, *grid, dtype=torch.float64) * 2 + 1)
    found = []
    for classifier in (network.eval(), frozen(network)):
        images = torch.linspace(-2, 2, 3 * math.prod(grid), dtype=torch.float64).sin().reshape(3, 1, *grid)
        images.requires_grad_(True)
        logits = classifier(images)
        found.append((logits, *torch.autograd.grad(logits.sum(), images)))
    for plain, fast in zip(*found, strict=True):
        torch.testing.assert_close(fast, plain)
    assert not any(parameter.requires_grad for parameter in frozen(network).parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_in_training_the_classifier_computes_what_its_blocks_do_one_after_the_other():
    torch.manual_seed(1)
    network = Classifier((10, 12, 9), (4, 6), 8, 0.0)
    images = torch.randn(4, 1, 10, 12, 9)
    features = images
    for block in network.blocks:
        features = block(features)
    torch.testing.assert_close(network(images), network.head(features)[:, 0])


def test_too_many_poolings_are_refused_with_the_grid():
    with pytest.raises(ValueError, match="12x10x9 cannot be pooled 4 times"):
        Classifier((12, 10, 9), (2, 2, 2, 2), 4, 0.0)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("output_level", [0, 1])
def test_the_simulator_starts_near_the_identity(grid, output_level):
    torch.manual_seed(1)
    network = Simulator(grid, (4, 6, 5), 8, 3, output_level)
    images, task = torch.randn(4, 1, *grid), torch.tensor([INJECT, INJECT, REMOVE, REMOVE])
    displacement = displacement_of(network, network(images, task), images.shape[2:])
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


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("output", ["displacement", "velocity", "image"])
def test_a_mirrored_simulator_makes_of_a_mirror_image_the_mirror_image(grid, output):
    torch.manual_seed(3)
    network = Simulator(grid, (2, 3), 4, 2, output=output, mirror=True)
    # Large enough to move an image visibly.
    torch.nn.init.normal_(network.last.weight, std=0.1)
    images, task = torch.randn(2, 1, *grid), torch.tensor([INJECT, REMOVE])
    seen, mirrored = (simulate(network.train(), view, task)[0] for view in (images, images.flip(2)))
    assert (mirrored.flip(2) - seen).abs().max() > 0.01
    seen, mirrored = (simulate(network.eval(), view, task)[0] for view in (images, images.flip(2)))
    assert (seen - images).abs().max() > 0.01
    torch.testing.assert_close(mirrored.flip(2), seen, atol=1e-5, rtol=1e-5)


def test_every_parameter_of_the_simulator_is_used():
    network = Simulator((8, 8, 8), (2, 3), 4, 2, output_level=1)
    network(torch.randn(4, 1, 8, 8, 8), torch.tensor([INJECT, INJECT, REMOVE, REMOVE])).square().sum().backward()
    unused = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert unused == []


def test_two_simulators_treat_each_image_by_its_own_task():
    torch.manual_seed(2)
    network = TwoSimulators(grid=(8, 9), channels=(2, 3), fully_connected=4, experts=3).eval()
    images = torch.randn(4, 1, 8, 9)
    task = torch.tensor([REMOVE, INJECT, REMOVE, INJECT])
    field = network(images, task)
    torch.testing.assert_close(field[1], network.inject(images[1:2], task[1:2])[0])
    torch.testing.assert_close(field[2], network.remove(images[2:3], task[2:3])[0])
    torch.testing.assert_close(network(images[:1], task[:1])[0], field[0])


def test_an_ordinary_convolution_does_not_heed_the_task():
    layer = convolution(2, 3, 4, experts=0)
    features = torch.randn(2, 3, 5, 6)
    expected = torch.nn.functional.conv2d(features, layer.weight, layer.bias, padding=1)
    injected, removed = (layer(features, torch.full((2,), task)) for task in (INJECT, REMOVE))
    assert torch.equal(injected, removed)
    # A processor's own kernels add up in another order.
    torch.testing.assert_close(injected, expected)


@pytest.mark.parametrize("grid", GRIDS)
def test_removal_by_a_velocity_is_the_inverse_of_injection(grid):
    network = Simulator(grid, (2, 3), 4, 1, output="velocity").eval()
    with torch.no_grad():
        # Blind to the task and to the image: one and the same smooth velocity.
        network._decode = lambda images, task: torch.full((len(images), len(grid), *grid), 0.8)
        images = torch.zeros(1, 1, *grid)
        images[(0, 0, *[n // 2 for n in grid])] = 1.0
        there, _ = simulate(network, images, torch.tensor([INJECT]))
        back, _ = simulate(network, there, torch.tensor([REMOVE]))
    assert there[(0, 0, *[n // 2 - 1 for n in grid])] == pytest.approx(0.8 ** len(grid), abs=1e-4)
    # Two linear interpolations by 0.8 and -0.8 of a voxel keep 0.8^2 + 0.2^2 of a point along each axis.
    assert back[(0, 0, *[n // 2 for n in grid])] == pytest.approx(0.68 ** len(grid), abs=1e-4)


def test_a_network_comes_back_from_its_files(tmp_path):
    network = Simulator((8, 8), (2, 3), 4, 2)
    files.save(network, tmp_path / "w.safetensors", tmp_path / "a.json")
    again = files.load([Simulator], tmp_path / "w.safetensors", tmp_path / "a.json")
    assert not again.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_files_of_another_network_are_refused(tmp_path):
    paths = tmp_path / "w.safetensors", tmp_path / "a.json"
    files.save(Classifier((8, 8), (2,), 4, 0.0), *paths)
    with pytest.raises(CounterwarpError, match="describes a Classifier, not a Simulator or TwoSimulators"):
        files.load([Simulator, TwoSimulators], *paths)
    text = json.loads(paths[1].read_text())
    text["settings"]["hidden"] = 5
    paths[1].write_text(json.dumps(text))
    with pytest.raises(CounterwarpError, match="train it again"):
        files.load([Classifier], *paths)


def test_an_unknown_or_absent_device_is_a_configuration_error():
    with pytest.raises(ConfigError, match="'gpu' is not one of auto, cpu, cuda"):
        prepare("gpu", 1)
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="torch sees no GPU"):
            prepare("cuda", 1)
