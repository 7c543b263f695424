"""The convolutions that cut a single small image into halves and thin volumes into slices, against torch's own."""

import pytest
import torch
from counterwarp.networks.layers import SLOW_UP_TO, THIN_UP_TO, Convolution3d, is_thin
from torch import nn


def both(in_features, out_features, kernel=3, padding=1):
    """Ours and torch's, of the same weights."""
    torch.manual_seed(1)
    ours = Convolution3d(in_features, out_features, kernel, padding=padding)
    plain = nn.Conv3d(in_features, out_features, kernel, padding=padding)
    plain.load_state_dict(ours.state_dict())
    return ours.double(), plain.double()


def slope_and_its_gradient(layer, images):
    """The output, the length of its gradient in the images, and what the weights do to that length."""
    images = images.clone().requires_grad_(True)
    output = layer(images)
    (gradient,) = torch.autograd.grad(output.square().sum(), images, create_graph=True)
    length = gradient.norm()
    return output, length, *torch.autograd.grad(length, list(layer.parameters()))


@pytest.mark.parametrize("grid", [(4, 5, 3), (5, 4, 6), (1, 3, 2)])
def test_halves_give_the_convolution_and_its_derivatives_of_the_whole(grid):
    images = torch.randn(1, 5, *grid, dtype=torch.float64)
    for mine, torchs in zip(*(slope_and_its_gradient(layer, images) for layer in both(5, 6)), strict=True):
        torch.testing.assert_close(mine, torchs)


@pytest.mark.parametrize(("in_features", "out_features"), [(1, 6), (6, 3), (2, 2)])
@pytest.mark.parametrize("grid", [(4, 5, 3), (1, 3, 2)])
def test_slices_give_the_convolution_and_its_derivatives_of_the_volume(in_features, out_features, grid):
    images = torch.randn(2, in_features, *grid, dtype=torch.float64)
    assert is_thin(images, out_features)
    layers = both(in_features, out_features)
    for mine, torchs in zip(*(slope_and_its_gradient(layer, images) for layer in layers), strict=True):
        torch.testing.assert_close(mine, torchs)


def test_only_volumes_of_few_features_are_thin():
    wide = THIN_UP_TO + 1
    assert not is_thin(torch.zeros(2, wide, 4, 4, 4), wide)
    assert not is_thin(torch.zeros(2, 1, 4, 4), 1)
    assert not is_thin(torch.zeros(2, 1, 4, 4, 4, device="meta"), 1)


@pytest.mark.parametrize(
    ("images", "kernel", "padding", "cut"),
    [
        (torch.zeros(1, 5, 6, 5, 4), 3, 1, True),
        (torch.zeros(2, 5, 6, 5, 4), 3, 1, False),  # a batch
        (torch.zeros(1, 5, 6, 5, 4), 1, 0, False),  # nothing overlaps
        (torch.zeros(1, 5, 6, SLOW_UP_TO // 30 + 1, 1), 3, 1, False),  # a large image
    ],
)
def test_only_a_single_small_image_is_cut(images, kernel, padding, cut, monkeypatch):
    ours, plain = both(5, 6, kernel, padding)
    seen = []
    monkeypatch.setattr(ours, "_by_halves", lambda features: seen.append(len(features)) or plain(features))
    torch.testing.assert_close(ours(images.double()), plain(images.double()))
    assert bool(seen) == cut
