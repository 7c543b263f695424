"""What a classifier is made of, and so which saliency methods are right for it."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from counterwarp.errors import CounterwarpError

RELU_NODES = {"ReluBackward0", "ClampMinBackward0", "ThresholdBackward0"}
OTHER_ACTIVATIONS = {
    "LeakyReluBackward0": "leaky ReLU",
    "PreluKernelBackward0": "PReLU",
    "EluBackward0": "ELU",
    "GeluBackward0": "GELU",
    "SiluBackward0": "SiLU",
    "MishBackward0": "Mish",
    "HardtanhBackward0": "hard tanh",
    "HardswishBackward0": "hard swish",
    "SoftplusBackward0": "softplus",
    "SigmoidBackward0": "sigmoid",
    "TanhBackward0": "tanh",
}


class DoesNotApplyError(CounterwarpError):
    """A saliency method would give a wrong map of this classifier."""


def check_relu_modules(classifier: nn.Module, image: Tensor) -> None:
    """Guided back-propagation changes the backward pass of nn.ReLU modules only: see that there is nothing else.

    Args:
        image: (1, 1, *grid); the classifier is run on it once.

    Raises:
        DoesNotApplyError: the classifier computes a ReLU outside a module, or another activation.
    """
    calls = 0

    def count(*_):
        nonlocal calls
        calls += 1

    hooks = [module.register_forward_hook(count) for module in _modules(classifier, nn.ReLU)]
    try:
        names = list(_nodes(classifier(image.detach().clone().requires_grad_(True))))
    finally:
        for hook in hooks:
            hook.remove()
    others = sorted({OTHER_ACTIVATIONS[name] for name in names if name in OTHER_ACTIVATIONS})
    if others:
        raise DoesNotApplyError(
            f"guided back-propagation is defined for ReLU, and this classifier has {', '.join(others)}"
        )
    computed = sum(name in RELU_NODES for name in names)
    if computed != calls:
        raise DoesNotApplyError(
            f"guided back-propagation sees nn.ReLU modules only, and {computed - calls} of this classifier's "
            f"{computed} ReLUs are computed by functions: write them as modules"
        )
    if not calls:
        raise DoesNotApplyError("guided back-propagation is defined for ReLU, and this classifier has none")


def last_activation(classifier: nn.Module, image: Tensor) -> nn.Module:
    """What Grad-CAM weighs: the last ReLU module that still has the image's axes, else the last convolution.

    Args:
        image: (1, 1, *grid); the classifier is run on it once.

    Raises:
        DoesNotApplyError: neither is there.
    """
    seen = {"relu": None, "convolution": None}

    def note(kind):
        def hook(module, _, output):
            if output.dim() == image.dim() and max(output.shape[2:]) > 1:
                seen[kind] = module

        return hook

    kinds = [("relu", nn.ReLU), ("convolution", nn.modules.conv._ConvNd)]
    hooks = [module.register_forward_hook(note(name)) for name, kind in kinds for module in _modules(classifier, kind)]
    try:
        with torch.no_grad():
            classifier(image)
    finally:
        for hook in hooks:
            hook.remove()
    layer = seen["relu"] or seen["convolution"]
    if layer is None:
        raise DoesNotApplyError(
            "Grad-CAM weighs the features of a convolution, and this classifier has none as a module"
        )
    return layer


def _modules(classifier: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in classifier.modules() if isinstance(module, kind)]


def _nodes(output: Tensor) -> Iterator[str]:
    """Name of every operation on the way back from the output."""
    waiting, seen = [output.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node.name()
        waiting += [parent for parent, _ in node.next_functions]
