"""The conditional convolution is the ordinary convolution by the kernel that it mixes, in each of its forms."""

import pytest
import torch
from counterwarp.networks.condconv import CondConv, convolution, pass_on
from torch.nn import functional

GRIDS = {2: (6, 5), 3: (4, 6, 5)}


@pytest.mark.parametrize("features", [2, 5])  # thin and not
@pytest.mark.parametrize("dims", [2, 3])
def test_with_a_fixed_alpha_it_is_the_ordinary_convolution_by_the_mixed_kernel(dims, features):
    torch.manual_seed(1)
    layer = CondConv(dims, features, 5, experts=3)
    # Routing that ignores its input: sigmoid(0), sigmoid(log 3) and sigmoid(-log 3) are 1/2, 3/4 and 1/4.
    torch.nn.init.zeros_(layer.routing.weight)
    layer.routing.bias.data = torch.tensor([0.0, 3.0, 1 / 3]).log().nan_to_num(neginf=0.0)
    images = torch.randn(4, features, *GRIDS[dims])
    kernel = 0.5 * layer.weight[0] + 0.75 * layer.weight[1] + 0.25 * layer.weight[2]
    bias = 0.5 * layer.bias[0] + 0.75 * layer.bias[1] + 0.25 * layer.bias[2]
    ordinary = {2: functional.conv2d, 3: functional.conv3d}[dims](images, kernel, bias, padding=1)
    torch.testing.assert_close(layer(images, torch.zeros(4)), ordinary, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_forms_agree_though_each_image_has_its_own_mixture(dims):
    torch.manual_seed(2)
    layer = CondConv(dims, 3, 4, experts=3)
    images, alpha = torch.randn(5, 3, *GRIDS[dims]), torch.rand(5, 3)
    torch.testing.assert_close(layer.mix_kernels(images, alpha), layer.mix_inputs(images, alpha), atol=1e-5, rtol=1e-5)
    if dims == 3:
        torch.testing.assert_close(
            layer.mix_kernels(images, alpha), layer.one_by_one(images, alpha), atol=1e-5, rtol=1e-5
        )


def test_the_task_and_the_pooled_features_choose_the_mixture():
    layer = CondConv(2, 1, 4, experts=1)
    torch.nn.init.zeros_(layer.bias)
    layer.routing.weight.data = torch.tensor([[1.0, 10.0]])
    torch.nn.init.zeros_(layer.routing.bias)
    image = torch.full((1, 1, 4, 4), 2.0)
    # alpha is sigmoid(2) for task 0 and sigmoid(12) for task 1; the output is alpha times the same convolution.
    inject, remove = layer(image, torch.zeros(1)), layer(image, torch.ones(1))
    expected = torch.sigmoid(torch.tensor(12.0)) / torch.sigmoid(torch.tensor(2.0))
    torch.testing.assert_close(remove / inject, expected.expand_as(inject), atol=1e-4, rtol=1e-4)


def test_each_expert_starts_as_an_ordinary_convolution():
    torch.manual_seed(3)
    layer = CondConv(3, 8, 16, experts=3)
    # torch draws from U(-b, b) with b = 1 / sqrt(fan in), here 1 / sqrt(8 * 27); its sd is b / sqrt(3).
    bound = (8 * 27) ** -0.5
    assert layer.weight.abs().max() <= bound
    assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)


def test_features_and_their_gradients_lie_channels_last():
    torch.manual_seed(4)
    layer = CondConv(3, 4, 8, experts=2)
    images = torch.randn(2, 4, 6, 6, 6, requires_grad=True)
    features = layer(images, torch.zeros(2))
    assert features.is_contiguous(memory_format=torch.channels_last_3d)
    (gradient,) = torch.autograd.grad(features.square().sum(), images)
    plain = images.detach().clone().requires_grad_()
    alpha = torch.sigmoid(layer.routing(torch.cat([plain.mean((2, 3, 4)), torch.zeros(2, 1)], 1)))
    kernels, biases = torch.tensordot(alpha, layer.weight, 1), alpha @ layer.bias
    one_by_one = [functional.conv3d(i[None], k, b, padding=1) for i, k, b in zip(plain, kernels, biases, strict=True)]
    torch.testing.assert_close(features, torch.cat(one_by_one), atol=1e-5, rtol=1e-5)
    (expected,) = torch.autograd.grad(torch.cat(one_by_one).square().sum(), plain)
    torch.testing.assert_close(gradient, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("experts", [0, 3])
def test_a_layer_that_passes_on_gives_back_its_first_features(experts):
    torch.manual_seed(5)
    layer = convolution(2, 1, 2, experts)
    pass_on(layer, 0.0)
    if experts:
        torch.nn.init.zeros_(layer.routing.weight)
        torch.nn.init.zeros_(layer.routing.bias)
    image = torch.randn(3, 1, 5, 6)
    features = layer(image, torch.zeros(3))
    torch.testing.assert_close(features[:, :1], image)
    assert not features[:, 1].any()
