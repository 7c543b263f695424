"""Networks on disk: weights as safetensors, beside them a JSON file that says how to build the network."""

import json
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn

from counterwarp.errors import CounterwarpError


def save(network: nn.Module, weights: str | Path, architecture: str | Path) -> None:
    """Write the weights and the `settings` that the network was built with."""
    save_file({name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}, weights)
    text = {"network": type(network).__name__, "settings": network.settings}
    Path(architecture).write_text(json.dumps(text, indent=1) + "\n")


def load(kind: type[nn.Module], weights: str | Path, architecture: str | Path) -> nn.Module:
    """The network of this kind, in evaluation mode.

    Raises:
        CounterwarpError: the file describes another network, or the weights do not fit it.
    """
    text = json.loads(Path(architecture).read_text())
    if text["network"] != kind.__name__:
        raise CounterwarpError(f"{architecture} describes a {text['network']}, not a {kind.__name__}: train it again")
    network = kind(**text["settings"])
    try:
        network.load_state_dict(load_file(weights))
    except RuntimeError as error:
        raise CounterwarpError(f"{weights} does not fit {architecture}: train it again ({error})") from error
    return network.eval()
