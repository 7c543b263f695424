"""The user's own classifier: any torch module that maps a batch of volumes to one logit each, positive for patients."""

import importlib.util
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from counterwarp.errors import CounterwarpError


class OwnClassifier(nn.Module):
    """A user's network with its logits as (batch,), whether it gives (batch,) or (batch, 1)."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch,) of images (batch, 1, *grid)."""
        return self.network(images).reshape(len(images))


def load(weights: str | Path, file: str | Path, name: str) -> OwnClassifier:
    """The network of a class in a Python file, in evaluation mode.

    Args:
        weights: safetensors, with the names of the network's own state_dict.
        file: Python file; it is run. The class is built without arguments.
        name: of the class.

    Raises:
        CounterwarpError: the file, the class or the weights cannot be used.
    """
    path = Path(file)
    if path.suffix != ".py" or not path.is_file():
        raise CounterwarpError(f"classifier.own.file: {path} is no Python file; name the file that defines {name}")
    spec = importlib.util.spec_from_file_location("own_classifier", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise CounterwarpError(f"classifier.own.file: {path} cannot be run: {type(error).__name__}: {error}") from error
    kind = getattr(module, name, None)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        there = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, nn.Module)]
        raise CounterwarpError(
            f"classifier.own.class: {path} has no torch module {name!r}; it has {', '.join(there) or 'none'}"
        )
    try:
        network = kind()
    except TypeError as error:
        raise CounterwarpError(
            f"classifier.own.class: {name}() cannot be built without arguments ({error}); give them defaults"
        ) from error
    try:
        network.load_state_dict(load_file(weights))
    except (RuntimeError, OSError, SafetensorError) as error:
        raise CounterwarpError(
            f"classifier.own.weights: {weights} does not fit {name}: {error}; save them with "
            "safetensors.torch.save_file(network.state_dict(), path)"
        ) from error
    return OwnClassifier(network).eval()


@torch.no_grad()
def check(classifier: OwnClassifier, grid: tuple[int, ...]) -> None:
    """See that the classifier gives one finite logit for each image of this grid.

    Raises:
        CounterwarpError: it does not; the message says what came out.
    """
    shape = (2, 1, *grid)
    wanted = f"one logit for each image: (batch,) or (batch, 1) of images (batch, 1, {', '.join(map(str, grid))})"
    try:
        logits = classifier.network(torch.zeros(shape))
    except RuntimeError as error:
        raise CounterwarpError(
            f"classifier.own: the network cannot take images of shape {shape}: {error}; it is to give {wanted}; "
            "preprocess.network_shape sets the grid"
        ) from error
    if not isinstance(logits, Tensor) or tuple(logits.shape) not in ((2,), (2, 1)):
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise CounterwarpError(f"classifier.own: two images gave {got}; the network is to give {wanted}")
    if not logits.isfinite().all():
        raise CounterwarpError(
            f"classifier.own: an image of zeros gave {logits.flatten().tolist()}; look at the weights"
        )


def write_architecture(path: str | Path, file: str | Path, name: str) -> None:
    """Say where the network comes from, in the place of the settings of our own."""
    Path(path).write_text(json.dumps({"network": name, "file": str(Path(file).resolve())}, indent=1) + "\n")
