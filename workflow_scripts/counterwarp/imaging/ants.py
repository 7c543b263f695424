"""ANTs started the one way that gives the same bytes twice: a seed, one thread, and temporary files of its own.

Everything that runs ANTs comes through here. Points and matrices of ITK are LPS; all others in this package are RAS.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np

from counterwarp.errors import ScanError

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@cache
def start(seed: int):
    """The module ants, seeded and with one thread.

    ANTs and ITK read both from the environment; with more threads, or with only ants.registration(random_seed=...), two
    runs differ. The first seed of a process holds for all of it.
    """
    os.environ["ANTS_RANDOM_SEED"] = str(seed)
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    import ants

    return ants


@contextmanager
def own_folder() -> Iterator[str]:
    """A folder for the files that ANTs leaves behind; gone afterwards. The value is a prefix of file names in it."""
    with tempfile.TemporaryDirectory(prefix="counterwarp-ants-") as folder:
        usual, tempfile.tempdir = tempfile.tempdir, folder
        try:
            yield os.path.join(folder, "")
        finally:
            tempfile.tempdir = usual


def from_array(ants, data: np.ndarray, affine: np.ndarray):
    """An ANTsImage of an (x, y, z) array and its voxel -> world matrix (RAS mm; voxel axes at right angles)."""
    lps = LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    return ants.from_numpy(
        np.asarray(data, np.float32),
        origin=lps[:3, 3].tolist(),
        spacing=spacing.tolist(),
        direction=lps[:3, :3] / spacing,
    )


@dataclass(frozen=True)
class Stage:
    """One stage of antsRegistration: transform, metric of {fixed} and {moving}; a level for each number."""

    transform: str
    metric: str
    iterations: str
    shrink: str
    smoothing: str


def run_registration(ants, prefix: str, fixed, moving, stages: tuple[Stage, ...], centre: bool) -> None:
    """Run antsRegistration.

    Args:
        ants: what `start` gives.
        prefix: of the transform files that it writes.
        fixed, moving: ANTsImages.
        stages: in order.
        centre: begin by bringing the centres of mass together, instead of at the identity.

    Raises:
        ScanError: ANTs gave up.
    """
    names = {"fixed": ants.internal.get_pointer_string(fixed), "moving": ants.internal.get_pointer_string(moving)}
    arguments = ["-d", "3", "--float", "1", "-z", "1", "-u", "0", "-w", "[0.005,0.995]", "-o", prefix]
    if centre:
        arguments += ["-r", "[{fixed},{moving},1]".format(**names)]
    for stage in stages:
        arguments += ["-t", stage.transform, "-m", stage.metric.format(**names), "-c", f"[{stage.iterations},1e-6,10]"]
        arguments += ["-f", stage.shrink, "-s", f"{stage.smoothing}vox"]
    try:
        ants.registration(arguments, None)
    except RuntimeError as error:
        raise ScanError(f"registration failed ({error}); look at the scan: is it a whole T1-weighted head?") from error


def world_matrix(parameters, fixed_parameters) -> np.ndarray:
    """RAS world matrix of an ITK affine transform.

    ITK keeps A (row by row) and t, with a centre c, all LPS: x -> A (x - c) + c + t. So the matrix is
    [A | t + c - A c], and flipping the first two axes on both sides makes it RAS.

    Args:
        parameters: 12 numbers, A then t.
        fixed_parameters: c.

    Returns:
        4 x 4. As ITK transforms do, it maps points of the *fixed* image to the moving one.
    """
    parameters, centre = np.asarray(parameters, float), np.asarray(fixed_parameters, float)
    matrix = np.eye(4)
    matrix[:3, :3] = parameters[:9].reshape(3, 3)
    matrix[:3, 3] = parameters[9:] + centre - matrix[:3, :3] @ centre
    return LPS @ matrix @ LPS


def read_world_matrix(ants, path: str) -> np.ndarray:
    """RAS world matrix (fixed mm -> moving mm) of an ITK .mat file."""
    transform = ants.read_transform(path)
    return world_matrix(transform.parameters, transform.fixed_parameters)
