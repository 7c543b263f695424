"""Programs that others install, run through nipype: in a folder of their own, with one clear error when they give up.

nipype is imported only here, and only when such a program runs: its import would cost every other job time.
"""

import importlib
import os
from pathlib import Path

from counterwarp.errors import ScanError

LAST_WORDS = 300  # characters


def interface(name: str, folder: Path, **inputs):
    """An interface of nipype with its inputs.

    Args:
        name: in nipype.interfaces, for example "fsl.BET".
        folder: where nipype may keep what it likes to keep in the home directory.
        inputs: as the interface names them.
    """
    # Compute nodes may have no network, and a read-only home.
    os.environ |= {"NO_ET": "1", "NIPYPE_NO_ET": "1"}
    os.environ.setdefault("NIPYPE_CONFIG_DIR", str(folder))
    module, _, kind = name.rpartition(".")
    return getattr(importlib.import_module(f"nipype.interfaces.{module}"), kind)(**inputs)


def run_interface(program, folder: Path) -> str:
    """Run an interface of nipype in a folder.

    Returns:
        Its command line, files without their folder.

    Raises:
        ScanError: the program gave up, or did not write what it should.
        OSError: there is no such program.
    """
    program.terminal_output = "allatonce"
    try:
        done = program.run(cwd=str(folder))
    except (RuntimeError, FileNotFoundError) as error:
        words = " ".join(str(error).split())[-LAST_WORDS:]
        raise ScanError(f"{program.cmd} gave up (... {words}); look at the scan: is it a whole T1-weighted head?") from error
    return done.runtime.cmdline.replace(f"{folder}/", "")
