"""The user's own classifier: taken as it is, or refused with a reason."""

import json

import pytest
import torch
from counterwarp.errors import CounterwarpError
from counterwarp.networks import files, own
from safetensors.torch import save_file
from torch import nn

NETWORK = """
import torch
from torch import nn

class Odd(nn.Module):
    '''Strided convolution, SiLU as a function, global pooling, logits as a column.'''
    def __init__(self, width=3):
        super().__init__()
        self.first = nn.Conv3d(1, width, 3, stride=2)
        self.last = nn.Linear(width, 1)

    def forward(self, images):
        return self.last(nn.functional.silu(self.first(images)).mean((2, 3, 4)))

class NeedsWidth(nn.Module):
    def __init__(self, width):
        super().__init__()

class TwoLogits(Odd):
    def forward(self, images):
        return super().forward(images).expand(-1, 2)

class Infinite(Odd):
    def forward(self, images):
        return super().forward(images) / 0
"""


@pytest.fixture
def given(tmp_path):
    file, weights = tmp_path / "net.py", tmp_path / "net.safetensors"
    file.write_text(NETWORK)
    torch.manual_seed(3)
    layers = nn.ModuleDict({"first": nn.Conv3d(1, 3, 3, stride=2), "last": nn.Linear(3, 1)})
    save_file(layers.state_dict(), weights)
    return weights, file


def test_a_network_unlike_ours_gives_its_own_logits_and_comes_back_from_its_files(given, tmp_path):
    classifier = own.load(*given, "Odd")
    own.check(classifier, (9, 10, 11))
    images = torch.randn(3, 1, 9, 10, 11)
    logits = classifier(images)
    assert torch.equal(logits, classifier.network(images)[:, 0])
    own.write_architecture(tmp_path / "a.json", given[1], "Odd")
    assert json.loads((tmp_path / "a.json").read_text())["network"] == "Odd"
    assert torch.equal(files.load_classifier(given[0], tmp_path / "a.json")(images), logits)


@pytest.mark.parametrize(
    ("name", "message"),
    [("Absent", "it has Odd, NeedsWidth, TwoLogits, Infinite"), ("NeedsWidth", "give them defaults")],
)
def test_a_class_that_cannot_be_built_is_refused(given, name, message):
    with pytest.raises(CounterwarpError, match=message):
        own.load(*given, name)


def test_files_that_cannot_be_used_are_refused(given, tmp_path):
    weights, file = given
    with pytest.raises(CounterwarpError, match="no Python file"):
        own.load(weights, tmp_path / "absent.py", "Odd")
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_this_name\n")
    with pytest.raises(CounterwarpError, match="cannot be run: ModuleNotFoundError"):
        own.load(weights, broken, "Odd")
    save_file({"first.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CounterwarpError, match="does not fit Odd"):
        own.load(tmp_path / "other.safetensors", file, "Odd")
    pickled = tmp_path / "pickled.safetensors"
    torch.save({"first.weight": torch.zeros(1)}, pickled)
    with pytest.raises(CounterwarpError, match="save_file"):
        own.load(pickled, file, "Odd")


def test_what_it_gives_must_be_one_finite_logit_an_image(given):
    with pytest.raises(CounterwarpError, match=r"two images gave \(2, 2\)"):
        own.check(own.load(*given, "TwoLogits"), (9, 9, 9))
    with pytest.raises(CounterwarpError, match="an image of zeros gave"):
        own.check(own.load(*given, "Infinite"), (9, 9, 9))
    with pytest.raises(CounterwarpError, match=r"cannot take images of shape \(2, 1, 2, 2, 2\)"):
        own.check(own.load(*given, "Odd"), (2, 2, 2))
