"""Programs that others install, run through nipype: in a folder of their own, with one clear error when they give up.

nipype is imported only here, and only when such a program runs: its import would cost every other job time.
"""

import importlib
import os
import platform
import shutil
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
    # Compute nodes may have no network, and a read-only home. Without a type of output nipype warns and takes this one.
    os.environ |= {"NO_ET": "1", "NIPYPE_NO_ET": "1", "FSLOUTPUTTYPE": "NIFTI"}
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
    if not shutil.which(program.cmd, path=program.inputs.environ.get("PATH")):
        raise OSError(f"{program.cmd} is not on the PATH of {platform.node()}: see docs/engines.md")
    program.terminal_output = "allatonce"
    # Else a code other than 0 is no error, and where an output is missing what the program says is lost.
    done = program.run(cwd=str(folder), ignore_exception=True)
    told = done.runtime
    # BET's code means nothing; nipype judges it by what it writes.
    if done.outputs is None or (told.returncode and program.cmd != "bet"):
        words = " ".join((told.get("stderr") or told.get("stdout") or told.traceback).split())[-LAST_WORDS:]
        raise ScanError(f"{program.cmd} gave up ({words}); look at the scan: is it a whole T1-weighted head?")
    return told.cmdline.replace(f"{folder}/", "")
