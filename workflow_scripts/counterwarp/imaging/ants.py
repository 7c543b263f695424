"""ANTs' programs, run the one way that gives the same bytes twice: a seed, one thread, temporary files of their own.

The programs are those of the command line (antsRegistration, N4BiasFieldCorrection, ...), which antspyx carries as
functions of its compiled module. That module is loaded by itself: the Python package around it costs 1.3 CPU s of
imports in every job, and takes neither a seed nor a folder for its files.

Points and matrices of ITK are LPS; all others in this package are RAS.
"""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.io import loadmat, savemat

from counterwarp.errors import ScanError

MODULE = "ants.lib"
ROOM = 2**20  # bytes
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@cache
def _programs():
    if MODULE in sys.modules:
        return sys.modules[MODULE]
    folder = Path(importlib.util.find_spec("ants").origin).parent
    spec = importlib.util.spec_from_file_location(MODULE, next(folder.glob("lib*.so")))
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    spec.loader.exec_module(module)
    return module


def run(program: str, *arguments: str | int | Path, seed: int = 1) -> None:
    """Run one of ANTs' programs with its command-line arguments.

    Args:
        program: for example "N4BiasFieldCorrection".
        arguments: as on the command line.
        seed: of programs that sample voxels at random.

    Raises:
        ScanError: the program gave up.
    """
    # ANTs and ITK read these when a program starts; with more threads two runs differ.
    os.environ["ANTS_RANDOM_SEED"] = str(seed)
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    try:
        status = getattr(_programs(), program)([str(argument) for argument in arguments])
    except RuntimeError as error:
        status = str(error).partition("\n")[0]
    if status:
        raise ScanError(f"{program} gave up ({status}); look at the scan: is it a whole T1-weighted head?")


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for intermediate files, gone afterwards.

    Raises:
        OSError: what was done in it failed, and its disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="counterwarp-") as folder:
        try:
            yield Path(folder)
        except Exception:
            check_room(folder)
            raise


def check_room(folder: str) -> None:
    """See that a file can be written: programs that find no room seldom say so, and then the scan seems at fault.

    Raises:
        OSError: the disk, or the user's share of it, is full.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; make room there and run again", folder) from error


@dataclass(frozen=True)
class Stage:
    """One stage of antsRegistration: transform, metric of {fixed} and {moving}; a level for each number."""

    transform: str
    metric: str
    iterations: str
    shrink: str
    smoothing: str


def run_registration(
    fixed: Path,
    moving: Path,
    stages: tuple[Stage, ...],
    prefix: str,
    seed: int,
    start: Path | None = None,
    inside: Path | None = None,
) -> str:
    """Run antsRegistration.

    Args:
        fixed, moving: images.
        stages: in order.
        prefix: of the transform files that it writes.
        seed: of the sampling of voxels.
        start: ITK affine to begin with, instead of the identity.
        inside: mask on the fixed image: where the metric looks.

    Returns:
        The command line, the folder of `prefix` left out.

    Raises:
        ScanError: ANTs gave up.
    """
    arguments = ["-d", 3, "--float", 1, "-u", 0, "-w", "[0.005,0.995]", "-o", prefix]
    if start:
        arguments += ["-r", start]
    if inside:
        arguments += ["-x", inside]
    for stage in stages:
        metric = stage.metric.format(fixed=fixed, moving=moving)
        arguments += ["-t", stage.transform, "-m", metric, "-c", f"[{stage.iterations},1e-6,10]"]
        arguments += ["-f", stage.shrink, "-s", f"{stage.smoothing}vox"]
    run("antsRegistration", *arguments, seed=seed)
    return " ".join(map(str, ["antsRegistration", *arguments])).replace(f"{Path(prefix)}/", "./")


def world_matrix(parameters, centre) -> np.ndarray:
    """RAS world matrix of an ITK affine transform.

    ITK keeps A (row by row) and t, with a centre c, all LPS: x -> A (x - c) + c + t. So the matrix is
    [A | t + c - A c], and flipping the first two axes on both sides makes it RAS.

    Args:
        parameters: 12 numbers, A then t.
        centre: c.

    Returns:
        4 x 4. As ITK transforms do, it maps points of the *fixed* image to the moving one.
    """
    parameters, centre = np.asarray(parameters, float), np.asarray(centre, float)
    matrix = np.eye(4)
    matrix[:3, :3] = parameters[:9].reshape(3, 3)
    matrix[:3, 3] = parameters[9:] + centre - matrix[:3, :3] @ centre
    return LPS @ matrix @ LPS


def read_world_matrix(path: str | Path) -> np.ndarray:
    """RAS world matrix (fixed mm -> moving mm) of an ITK affine's .mat file."""
    content = loadmat(path)
    name = next(name for name in content if name.startswith(("AffineTransform", "MatrixOffsetTransformBase")))
    return world_matrix(content[name].ravel(), content["fixed"].ravel())


def write_world_matrix(matrix: np.ndarray, path: str | Path) -> None:
    """Write an RAS world matrix (fixed mm -> moving mm) as an ITK affine's .mat file, centred on the origin."""
    lps = LPS @ matrix @ LPS
    parameters = np.concatenate([lps[:3, :3].ravel(), lps[:3, 3]])
    content = {"AffineTransform_double_3_3": parameters[:, None], "fixed": np.zeros((3, 1))}
    savemat(path, content, format="4", appendmat=False)
