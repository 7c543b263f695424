"""Check the configuration against its schema, and say everything that is wrong at once."""

import difflib
from collections.abc import Callable
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from counterwarp.errors import ConfigError

# Least extent of each template's brain along x, y and z, mm; with coarser voxels it is a little more.
BRAIN_MM = {"mni152": (144, 180, 150), "sri24": (126, 165, 126)}
# Options of preprocess.strip with their default, and the engines that read them.
OF_ENGINES = {
    "head": ("auto", ("auto", "deepbet", "template", "bet")),
    "bet_fraction": ("auto", ("bet", "robex+bet")),
    "masks": ("", ("mask",)),
}

# What preprocess.recipe sets, with its default.
OF_RECIPES = {"conform": "nibabel", "denoise": True, "register": {"engine": "ants", "dof": 12}}


def check_config(config: dict, schema_path: str | Path) -> None:
    """Raise a ConfigError that lists every unknown key, wrong type and value out of range; or what contradicts itself.

    Args:
        config: the merged configuration.
        schema_path: schemas/config.schema.yaml.
    """
    schema = yaml.safe_load(Path(schema_path).read_text())
    problems = []
    for error in sorted(Draft202012Validator(schema).iter_errors(config), key=lambda error: list(map(str, error.path))):
        problems += _sentences(error)
    problems = problems or contradictions(config)
    if problems:
        raise ConfigError(problems)


def problems_of(*checks: Callable[[], None]) -> list[str]:
    """Run checks, each of which may raise a ConfigError; what all of them found."""
    problems = []
    for check in checks:
        try:
            check()
        except ConfigError as error:
            problems += error.problems
    return problems


def check_together(*checks: Callable[[], None]) -> None:
    """Run checks, each of which may raise a ConfigError; raise one that lists what all of them found."""
    problems = problems_of(*checks)
    if problems:
        raise ConfigError(problems)


def contradictions(config: dict) -> list[str]:
    """What no single value shows, a sentence each.

    Args:
        config: each of whose values is valid.
    """
    cohort, quality = config["cohort"], config["qc"]
    problems = []
    if cohort["validation_share"] + cohort["test_share"] >= 1:
        problems.append(
            f"cohort.validation_share {cohort['validation_share']:g} and cohort.test_share {cohort['test_share']:g} "
            "leave no subject to train on; lower them"
        )
    if cohort["folds"] > 1 and cohort["source"] in ("gaussians", "toy"):
        problems.append(
            f"cohort.folds: {cohort['folds']}, but {cohort['source']} draws as many test images as are wanted; set it "
            "to 1"
        )
    names = list(cohort["columns"].values())
    problems += [
        f"cohort.columns: {name!r} is given for {names.count(name)} of {', '.join(cohort['columns'])}; name each once"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if quality["listed"] and quality["exclude"] != "listed":
        problems.append(
            f"qc.listed: {quality['listed']!r} would not be read, because qc.exclude is {quality['exclude']}; set it "
            "to listed, or leave qc.listed empty"
        )
    problems += _unread(config["preprocess"]["strip"]) + _twice_set(config["preprocess"])
    if cohort["source"] not in ("gaussians", "toy", "films"):
        problems += _impossible_grid(config)
    return problems


def _unread(strip: dict) -> list[str]:
    """What is set for another engine than the one that takes off the skull."""
    engine = strip["engine"]
    return [
        f"preprocess.strip.{option}: {strip[option]!r} would not be read, because preprocess.strip.engine is {engine}; "
        f"set it to {' or '.join(engines)}, or leave preprocess.strip.{option} out"
        for option, (default, engines) in OF_ENGINES.items()
        if strip[option] != default and engine not in engines
    ]


def _twice_set(preprocess: dict) -> list[str]:
    """What is set although a recipe sets it."""
    if not preprocess["recipe"]:
        return []
    values = {name: preprocess[name] for name, default in OF_RECIPES.items() if preprocess[name] != default}
    if preprocess["strip"]["engine"] != "auto":
        values["strip.engine"] = preprocess["strip"]["engine"]
    return [
        f"preprocess.{name}: {value!r} would not be read, because preprocess.recipe {preprocess['recipe']} sets it; "
        f"leave one of them out"
        for name, value in values.items()
    ]


def _impossible_grid(config: dict) -> list[str]:
    """A grid that does not hold the brain, or that the networks cannot halve as often as they would."""
    settings, simulator = config["preprocess"], config["simulator"]
    shape, voxel = settings["network_shape"], settings["network_voxel_mm"]
    needed = [extent + voxel for extent in BRAIN_MM[config["atlas"]]]
    problems = []
    allowed = [0, 0, settings["network_cut_mm"]]
    if any(n * voxel + cut < extent for n, extent, cut in zip(shape, needed, allowed, strict=True)):
        cover, brain = (" x ".join(f"{mm:g}" for mm in sizes) for sizes in ([n * voxel for n in shape], needed))
        problems.append(
            f"preprocess.network_shape {shape} of {voxel:g} mm covers {cover} mm, but the template's brain needs "
            f"{brain} mm: raise network_shape or network_voxel_mm, or let network_cut_mm of the brainstem go"
        )
    halved = {"simulator.channels": len(simulator["channels"]) - 1}
    if {"defigan", "vagan"} & set(config["explain"]["methods"]):
        halved |= {
            f"adversarial.{name}": len(config["adversarial"][name]) - 1 for name in ("channels", "critic_channels")
        }
    if not config["classifier"]["own"]:
        halved["classifier.channels"] = len(config["classifier"]["channels"])
    problems += [
        f"{name} halves preprocess.network_shape {shape} {times} times, and nothing is left; give it fewer levels"
        for name, times in halved.items()
        if min(shape) < 2**times
    ]
    if simulator["output_level"] >= len(simulator["channels"]):
        problems.append(
            f"simulator.output_level {simulator['output_level']} is none of its {len(simulator['channels'])} levels; "
            "they count from 0"
        )
    return problems


def _sentences(error) -> list[str]:
    place = ".".join(map(str, error.absolute_path)) or "configuration"
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        return [f"{place}: unknown key {key!r}{_nearest(key, known)}" for key in error.instance if key not in known]
    wanted = error.schema.get("description", "")
    return [f"{place}: {error.message}" + (f" ({wanted})" if wanted else "")]


def _nearest(key: str, known) -> str:
    near = difflib.get_close_matches(str(key), list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
