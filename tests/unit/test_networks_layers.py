"""The convolution that cuts a single small image into halves, against torch's own."""

import pytest
import torch
from counterwarp.networks.layers import SLOW_UP_TO, Convolution3d
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
    images = torch.randn(1, 2, *grid, dtype=torch.float64)
    for mine, torchs in zip(*(slope_and_its_gradient(layer, images) for layer in both(2, 3)), strict=True):
        torch.testing.assert_close(mine, torchs)


@pytest.mark.parametrize(
    ("images", "kernel", "padding", "cut"),
    [
        (torch.zeros(1, 2, 6, 5, 4), 3, 1, True),
        (torch.zeros(2, 2, 6, 5, 4), 3, 1, False),  # a batch
        (torch.zeros(1, 2, 6, 5, 4), 1, 0, False),  # nothing overlaps
        (torch.zeros(1, 2, 6, SLOW_UP_TO // 12 + 1, 1), 3, 1, False),  # a large image
    ],
)
def test_only_a_single_small_image_is_cut(images, kernel, padding, cut, monkeypatch):
    ours, plain = both(2, 3, kernel, padding)
    seen = []
    monkeypatch.setattr(ours, "_by_halves", lambda features: seen.append(len(features)) or plain(features))
    torch.testing.assert_close(ours(images.double()), plain(images.double()))
    assert bool(seen) == cut
