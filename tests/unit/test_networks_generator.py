"""The generator and the critic: the paper's sizes, any grid, the start near the identity."""

import pytest
import torch
from counterwarp.errors import CounterwarpError
from counterwarp.networks import files
from counterwarp.networks.critic import Critic, build_critic
from counterwarp.networks.generator import Generator, remove
from safetensors.torch import save_file

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


def resnet18_shapes():
    """Names and shapes of torchvision's resnet18, from He et al. 2016: two blocks of 64, 128, 256 and 512 features."""
    shapes = {"conv1.weight": (64, 3, 7, 7), "fc.weight": (1000, 512), "fc.bias": (1000,)}

    def norm(name, features):
        return {f"{name}.{part}": (features,) for part in ("weight", "bias", "running_mean", "running_var")}

    shapes |= norm("bn1", 64)
    for level, features in enumerate((64, 128, 256, 512), start=1):
        for block in (0, 1):
            before = features // 2 if level > 1 and block == 0 else features
            name = f"layer{level}.{block}"
            shapes[f"{name}.conv1.weight"] = (features, before, 3, 3)
            shapes[f"{name}.conv2.weight"] = (features, features, 3, 3)
            shapes |= norm(f"{name}.bn1", features) | norm(f"{name}.bn2", features)
            if before != features:
                shapes[f"{name}.downsample.0.weight"] = (features, before, 1, 1)
                shapes |= norm(f"{name}.downsample.1", features)
    return shapes


def imagenet_like(path, **changed):
    """Weights with torchvision's names and shapes, drawn at random, but for those that are given."""
    torch.manual_seed(3)
    tensors = {name: 0.05 * torch.randn(shape) for name, shape in resnet18_shapes().items()}
    tensors |= {name: tensor.abs() + 0.5 for name, tensor in tensors.items() if name.endswith("running_var")}
    save_file(tensors | changed, path)
    return tensors


def test_the_critic_of_films_is_resnet18_and_takes_imagenet_weights(tmp_path):
    given = imagenet_like(tmp_path / "resnet18.safetensors")
    settings = {"critic_network": "resnet18", "critic_weights": tmp_path / "resnet18.safetensors"}
    critic = build_critic((56, 56), settings)
    # He et al. 2016 has 11.69 million, of which the thousand classes are half a million and two colours 6272.
    assert parameters(critic) == 11_689_512 - 513_000 + 513 - 2 * 64 * 49
    own = critic.network.state_dict()
    for name in ("layer2.0.downsample.0.weight", "layer4.1.bn2.running_var"):
        torch.testing.assert_close(own[name], given[name])
    # A grey image is red, green and blue alike.
    grey = torch.randn(2, 1, 56, 56)
    colour = torch.conv2d(grey.expand(2, 3, 56, 56), given["conv1.weight"], stride=2, padding=3)
    torch.testing.assert_close(critic.network.conv1(grey), colour, rtol=1e-4, atol=1e-4)


def test_the_critic_of_films_says_when_it_starts_at_random_and_never_mixes_the_images_of_a_batch(caplog):
    critic = build_critic((40, 40), {"critic_network": "resnet18", "critic_weights": None}).train()
    assert "starts at random" in caplog.text
    images = torch.randn(3, 1, 40, 40)
    scores = critic(images)
    assert scores.shape == (3,)
    torch.testing.assert_close(critic(images[:1]), scores[:1], rtol=1e-4, atol=1e-4)


def test_weights_of_another_network_are_refused(tmp_path):
    settings = {"critic_network": "resnet18", "critic_weights": tmp_path / "given.safetensors"}
    imagenet_like(settings["critic_weights"], **{"layer1.0.conv1.weight": torch.zeros(3)})
    with pytest.raises(CounterwarpError, match=r"not the weights of ResNet-18.*layer1\.0\.conv1\.weight"):
        build_critic((40, 40), settings)
    settings["critic_weights"].write_bytes(b"a pickle")
    with pytest.raises(CounterwarpError, match=r"no safetensors file.*adversarial\.critic_weights"):
        build_critic((40, 40), settings)
