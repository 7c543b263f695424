"""The methods that explain a classifier, one module each, all with one verb: explain(images, groups) -> maps.

To add one: a module of its name here with a function `build`, a line in METHODS, a test.
"""

import importlib

from counterwarp.errors import ConfigError

# Method -> what it explains with: "saliency" needs the classifier alone, "simulator" a trained simulator too, and so
# does "generator", trained against a critic in place of the classifier, from patient to control only.
METHODS = {
    "backprop": "saliency",
    "guided_backprop": "saliency",
    "gradcam": "saliency",
    "guided_gradcam": "saliency",
    "occlusion": "saliency",
    "cycle": "simulator",
    "cycle_bce": "simulator",
    "cycle_two_encoders": "simulator",
    "cycle_displacement": "simulator",
    "cycle_velocity": "simulator",
    "cycle_fixed_delta": "simulator",
    "defigan": "generator",
    "vagan": "generator",
}
# Methods that change images without a warp: their maps are changes of intensity, not of volume.
OF_INTENSITY = {"vagan"}


def methods(kind: str) -> list[str]:
    """Names of all methods of one kind."""
    return [name for name, of_kind in METHODS.items() if of_kind == kind]


def build(name: str, classifier, simulator=None, **options):
    """The explainer of a method for trained networks, with the method's own options where it has any.

    Args:
        name: a key of METHODS.
        classifier: whose logits are explained, or compared.
        simulator: the trained simulator or generator, where the method needs one.

    Raises:
        ConfigError: the method is not known; the message lists those that are.
    """
    if name not in METHODS:
        raise ConfigError([f"explain.methods: {name!r} is not known; the methods are {', '.join(sorted(METHODS))}"])
    module = importlib.import_module(f"counterwarp.explain.{name}")
    networks = (classifier,) if METHODS[name] == "saliency" else (classifier, simulator)
    return module.build(*networks, **options)
