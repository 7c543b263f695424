"""The saliency methods against numbers worked out by hand, in 2-D and 3-D, and where they do not apply."""

import pytest
import torch
from counterwarp.explain import build
from counterwarp.explain.inspection import DoesNotApplyError, last_activation
from counterwarp.networks.classifier import Classifier
from counterwarp.networks.layers import CONVOLUTION, MAX_POOL
from torch import nn

GRIDS = [(4, 4), (4, 4, 4)]


class Signs(nn.Module):
    """logit = 2 sum relu(x) - 3 sum relu(-x), after max-pooling by `pool` where asked."""

    def __init__(self, dims, pool=False):
        super().__init__()
        self.split = CONVOLUTION[dims](1, 2, 1, bias=False)
        self.split.weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, *[1] * dims)
        self.relu = nn.ReLU()
        self.pool = MAX_POOL[dims](2) if pool else nn.Identity()

    def forward(self, images):
        features = self.pool(self.relu(self.split(images))).flatten(2).sum(2)
        return features @ torch.tensor([2.0, -3.0])


class Functional(nn.Module):
    """Somebody's own network: ReLU as a function, pooling by stride, no linear layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3, stride=2)
        self.second = nn.Conv2d(3, 1, 1)

    def forward(self, images):
        return self.second(torch.relu(self.first(images))).mean((1, 2, 3))


class Swish(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.relu = nn.Linear(16, 4), nn.ReLU()

    def forward(self, images):
        return nn.functional.silu(self.relu(self.first(images.flatten(1)))).sum(1)


def ramp(grid):
    """-1, 1, -2, 2, -3, 3, ... in the order of the array."""
    n = torch.Size(grid).numel()
    steps = torch.arange(n) // 2 + 1.0
    return torch.where(torch.arange(n) % 2 == 0, -steps, steps).reshape(1, 1, *grid)


@pytest.mark.parametrize("grid", GRIDS)
def test_guided_backprop_drops_the_negative_way_back(grid):
    images = ramp(grid)
    plain = build("backprop", Signs(len(grid))).explain(images, torch.ones(1))
    guided = build("guided_backprop", Signs(len(grid))).explain(images, torch.ones(1))
    # d logit / dx is 2 where x > 0 and (-3)(-1) where x < 0; the -3 does not pass its ReLU.
    assert torch.equal(plain, torch.where(images > 0, 2.0, 3.0)[:, 0])
    assert torch.equal(guided, torch.where(images > 0, 2.0, 0.0)[:, 0])


@pytest.mark.parametrize("grid", GRIDS)
def test_gradcam_weighs_features_by_their_mean_gradient_and_keeps_the_support(grid):
    images = ramp(grid)
    maps = build("gradcam", Signs(len(grid))).explain(images, torch.ones(1))
    # a = (2, -3): 2 relu(x) - 3 relu(-x), then ReLU.
    assert torch.equal(maps, 2 * images.clamp(min=0)[:, 0])


@pytest.mark.parametrize("grid", GRIDS)
def test_gradcam_looks_before_the_pooling(grid):
    images = ramp(grid)
    maps = build("gradcam", Signs(len(grid), pool=True)).explain(images, torch.ones(1))
    # Of each window of 2^d voxels one has a gradient, so the mean weights are 2 / 2^d and -3 / 2^d.
    torch.testing.assert_close(maps, 2 / 2 ** len(grid) * images.clamp(min=0)[:, 0])


@pytest.mark.parametrize("grid", GRIDS)
def test_gradcam_of_coarse_features_is_interpolated_to_the_grid(grid):
    dims = len(grid)
    classifier = nn.Sequential(MAX_POOL[dims](2), Signs(dims))
    images = torch.zeros(1, 1, *grid)
    images[(0, 0, *[0] * dims)] = 1
    maps = build("gradcam", classifier).explain(images, torch.ones(1))
    assert maps.shape == (1, *grid)
    # The one coarse voxel holds 2; along each axis its four fine voxels get 1, 3/4, 1/4 and 0 of it.
    line = maps[(0, slice(None), *[0] * (dims - 1))]
    torch.testing.assert_close(line, torch.tensor([2.0, 1.5, 0.5, 0.0]))


@pytest.mark.parametrize("grid", GRIDS)
def test_guided_gradcam_is_the_product(grid):
    images = ramp(grid)
    maps = build("guided_gradcam", Signs(len(grid))).explain(images, torch.ones(1))
    assert torch.equal(maps, 4 * images.clamp(min=0)[:, 0])


class Corner(nn.Module):
    """logit = twice the first voxel less 1."""

    def forward(self, images):
        return 2 * images.flatten(1)[:, 0] - 1


@pytest.mark.parametrize("grid", GRIDS)
def test_occlusion_scores_the_window_s_centre_with_the_answers_lost(grid):
    dims = len(grid)
    images = torch.zeros(3, 1, *grid)
    images[(slice(0, 2), 0, *[0] * dims)] = 1
    # A patient seen as one, a control taken for a patient, a control seen as one.
    maps = build("occlusion", Corner(), window=2, stride=2).explain(images, torch.tensor([1.0, 0.0, 0.0]))
    # Centres lie at 0.5 and 2.5; only the first window matters.
    line = torch.tensor([1.0, 0.75, 0.25, 0.0])
    expected = line
    for _ in range(dims - 1):
        expected = expected[..., None] * line
    torch.testing.assert_close(maps[0], expected)
    torch.testing.assert_close(maps[1], -expected)
    assert not maps[2].any()


class Count(nn.Module):
    """How often it is asked."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        return images.flatten(1)[:, 0]


def test_occlusion_has_the_paper_s_number_of_windows():
    classifier = Count()
    build("occlusion", classifier).explain(torch.rand(1, 1, 64, 64), torch.ones(1))
    assert classifier.calls == 1 + 15**2


def test_occlusion_does_not_try_windows_in_which_no_image_has_anything_to_hide():
    classifier, images = Count(), torch.zeros(2, 1, 64, 64)
    # In the second image alone, and in four of the windows: those from 16 and 20 along either axis.
    images[1, 0, 22, 22] = 1
    maps = build("occlusion", classifier).explain(images, torch.ones(2))
    assert classifier.calls == 1 + 4
    assert not maps.any()


@pytest.mark.parametrize("name", ["backprop", "guided_backprop", "gradcam", "guided_gradcam"])
def test_a_mirrored_classifier_has_maps_that_mirror_with_the_image(name):
    torch.manual_seed(2)
    explainer = build(name, Classifier((8, 9), (2, 3), 4, 0.0, mirror=True))
    images = torch.randn(2, 1, 8, 9)
    maps = explainer.explain(images, torch.ones(2))
    assert maps.any()
    torch.testing.assert_close(explainer.explain(images.flip(2), torch.ones(2)).flip(1), maps)


def test_guided_backprop_refuses_what_captum_gets_silently_wrong():
    images = torch.randn(1, 1, 9, 9)
    with pytest.raises(DoesNotApplyError, match="1 of this classifier's 1 ReLUs are computed by functions"):
        build("guided_backprop", Functional()).explain(images, torch.ones(1))
    with pytest.raises(DoesNotApplyError, match="this classifier has SiLU"):
        build("guided_gradcam", Swish()).check(torch.randn(1, 1, 4, 4))
    with pytest.raises(DoesNotApplyError, match="has none"):
        build("guided_backprop", Corner()).check(images)


def test_a_relu_module_used_twice_is_counted_twice():
    relu = nn.ReLU()
    classifier = nn.Sequential(nn.Conv2d(1, 1, 1), relu, nn.Conv2d(1, 1, 1), relu, nn.Flatten(), nn.Linear(16, 1))
    build("guided_backprop", classifier).check(torch.randn(1, 1, 4, 4))


def test_gradcam_finds_the_layer_of_another_s_network_or_says_that_there_is_none():
    network = Functional()
    assert last_activation(network, torch.zeros(1, 1, 9, 9)) is network.second
    assert build("gradcam", network).explain(torch.randn(3, 1, 9, 9), torch.ones(3)).shape == (3, 9, 9)
    with pytest.raises(DoesNotApplyError, match="has none as a module"):
        build("gradcam", Corner()).check(torch.zeros(1, 1, 4, 4))
