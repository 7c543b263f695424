"""Programs that others install, run through nipype: in a folder of their own, with one clear error when they give up.

nipype is imported only here, and only when such a program runs: its import would cost every other job time.
"""

import importlib
import os
import platform
import re
import shutil
from pathlib import Path

from counterwarp.errors import ScanError

LAST_WORDS = 300  # characters
# A shell ends with these where it cannot start a program.
NOT_STARTED = (126, 127)
# What shells, loaders and Python say of a program, library or interpreter that is not there, which may be one that a
# script wants. That any other file is missing may be the fault of a scan.
NOT_THERE = re.compile(
    r"command not found|: \d+: [^\s:]+: not found|/bin/[^\s:]+: (no such file or directory|permission denied)"
    r"|bad interpreter|required file not found|\benv: .*no such file or directory|exec format error|cannot execute"
    r"|error while loading shared libraries|cannot open shared object|symbol lookup error|version `\S+' not found"
    r"|library not loaded|no module named",
    re.IGNORECASE,
)


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


def did_not_start(code: int | None, words: str) -> bool:
    """Whether a program, or one that it needs, is not there or broken: the fault of the machine, and of no scan.

    Args:
        code: of its end.
        words: all that was said.
    """
    return code in NOT_STARTED or bool(NOT_THERE.search(words))


def last_words(said: str) -> str:
    """The end of what a program said, in one line."""
    return " ".join(said.split())[-LAST_WORDS:]


def run_interface(program, folder: Path) -> str:
    """Run an interface of nipype in a folder.

    Returns:
        Its command line, files without their folder.

    Raises:
        ScanError: the program gave up, or did not write what it should.
        OSError: there is no such program, or it does not start, or lacks another one.
    """
    if not shutil.which(program.cmd, path=program.inputs.environ.get("PATH")):
        raise OSError(f"{program.cmd} is not on the PATH of {platform.node()}: see docs/engines.md")
    program.terminal_output = "allatonce"
    # Else a code other than 0 is no error, and where an output is missing what the program says is lost.
    done = program.run(cwd=str(folder), ignore_exception=True)
    told = done.runtime
    # BET's code means nothing; nipype judges it by what it writes.
    gave_up = done.outputs is None or (told.returncode and program.cmd != "bet")
    if gave_up or told.returncode:
        said = [told.get(name) or "" for name in ("stderr", "stdout", "traceback")]
        words = last_words(next(filter(None, said), ""))
        if did_not_start(told.get("returncode") if gave_up else None, "\n".join(said)):
            raise OSError(f"{program.cmd} does not start on {platform.node()} ({words}): see docs/engines.md")
    if gave_up:
        raise ScanError(f"{program.cmd} gave up ({words}); look at the scan: is it a whole T1-weighted head?")
    return told.cmdline.replace(f"{folder}/", "")
