"""Networks on disk: weights as safetensors, beside them a JSON file that says how to build the network."""

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn

from counterwarp.errors import CounterwarpError
from counterwarp.networks import own
from counterwarp.networks.classifier import Classifier


def save(network: nn.Module, weights: str | Path, architecture: str | Path) -> None:
    """Write the weights and the `settings` that the network was built with."""
    save_file({name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}, weights)
    text = {"network": type(network).__name__, "settings": network.settings}
    Path(architecture).write_text(json.dumps(text, indent=1) + "\n")


def load(kinds: Sequence[type[nn.Module]], weights: str | Path, architecture: str | Path) -> nn.Module:
    """The network, of one of these kinds, in evaluation mode.

    Raises:
        CounterwarpError: the file describes another network, or the weights do not fit it.
    """
    text = json.loads(Path(architecture).read_text())
    known = {kind.__name__: kind for kind in kinds}
    if text["network"] not in known:
        raise CounterwarpError(
            f"{architecture} describes a {text['network']}, not a {' or '.join(known)}: train it again"
        )
    network = known[text["network"]](**text["settings"])
    try:
        network.load_state_dict(load_file(weights))
    except RuntimeError as error:
        raise CounterwarpError(f"{weights} does not fit {architecture}: train it again ({error})") from error
    return network.eval()


def load_classifier(weights: str | Path, architecture: str | Path) -> nn.Module:
    """The classifier that is explained, in evaluation mode: ours or the user's own; raises as `load` and `own.load`."""
    text = json.loads(Path(architecture).read_text())
    if "file" in text:
        return own.load(weights, text["file"], text["network"])
    return load([Classifier], weights, architecture)
