"""What methods find, on disk: arrays of the cohort, and each scan's images with what their numbers mean."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from counterwarp.arrays import ArrayFile, mean_rows
from counterwarp.explain import METHODS
from counterwarp.imaging.io import SPACES, write_image, write_sidecar

# Images that are explained and written together: a multiple of every method's own batch.
AT_A_TIME = 32


def write_maps(explainer, images, patients: Tensor, maps: str | Path) -> float:
    """Write the maps of all images, a few at a time, so that they never are in memory together.

    Args:
        explainer: of `counterwarp.explain.build`.
        images: (n, 1, *grid), a tensor or `counterwarp.training.pack.Images`.
        patients: (n,), 1 for patients.
        maps: output .npy, (n, *grid) float32.

    Returns:
        Seconds that the method itself took.
    """
    seconds = 0.0
    with ExitStack() as files:
        written = None
        for _, found, took in _explained(explainer.explain, images, patients):
            values = found.cpu().numpy()
            written = written or _open(files, maps, values, len(images))
            written.write(values)
            seconds += took
    return seconds


def _explained(verb: Callable, images, patients: Tensor) -> Iterator[tuple[Tensor, object, float]]:
    """Of a few images at a time: these, what the method's verb says of them, and the seconds that it took."""
    for rows in torch.arange(len(images)).split(AT_A_TIME):
        some, groups = images[rows], patients[rows]
        start = time.monotonic()
        found = verb(some, groups)
        if some.is_cuda:
            torch.cuda.synchronize()
        yield some, found, time.monotonic() - start


def _open(files: ExitStack, path: str | Path, first: NDArray, length: int) -> ArrayFile:
    """A file for as many rows, of the kind of the first ones."""
    return files.enter_context(ArrayFile(path, first.dtype, (length, *first.shape[1:])))


def write_simulation(
    explainer,
    images,
    patients: Tensor,
    index: pd.DataFrame,
    mask: str | Path,
    maps: str | Path,
    displacement: str | Path,
    simulated: str | Path,
    change: str | Path,
    logits: str | Path,
    quality: str | Path,
    cycled: str | Path | None = None,
) -> float:
    """Write what a simulator or a generator makes of all packed scans, as `write_maps` does.

    Args:
        explainer: whose `simulate` gives a `counterwarp.explain.cycle.Simulation` or
            `counterwarp.explain.defigan.Removal`.
        images: (n, 1, *grid), a tensor or `counterwarp.training.pack.Images`.
        patients: (n,), 1 for patients.
        index: the pack's table, one row per scan.
        mask: .npy, bool, the brain on the grid.
        maps, displacement, simulated, change: outputs .npy, float32 and thrice float16 (see `Simulation`).
        logits: output TSV: row, scan, raw, simulated, cycled.
        quality: output TSV: row, scan, folding_share, cycle_rmse (units of the images); both over the brain's voxels.
        cycled: output .npy, float16; None of a generator, which knows no way back: what is of the way back is nan.

    Returns:
        Seconds that the method itself took.
    """
    inside = np.load(mask)
    paths = {"maps": maps, "displacement": displacement, "simulated": simulated, "change": change} | (
        {"cycled": cycled} if cycled else {}
    )
    columns, numbers, seconds = [], [], 0.0
    with ExitStack() as files:
        arrays = {}
        for some, simulation, took in _explained(explainer.simulate, images, patients):
            for name, path in paths.items():
                values = getattr(simulation, name).cpu().numpy()
                values = values if name == "maps" else values.astype(np.float16)
                arrays[name] = arrays.get(name) or _open(files, path, values, len(images))
                arrays[name].write(values)
            of_logits, of_quality = _measured(simulation, some, inside, with_cycle=bool(cycled))
            columns.append(of_logits)
            numbers.append(of_quality)
            seconds += took
    for path, table in ((logits, columns), (quality, numbers)):
        both = [index[["row", "scan"]].reset_index(drop=True), pd.concat(table, ignore_index=True)]
        pd.concat(both, axis=1).to_csv(path, sep="\t", index=False)
    return seconds


def _measured(simulation, images: Tensor, inside: NDArray, with_cycle: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The logits and the quality of a simulation of some images (k, 1, *grid), as of `write_simulation`."""
    columns = {name: getattr(simulation, f"{name}_logit").cpu().numpy() for name in ("raw", "simulated")}
    numbers = {"folding_share": simulation.folded.cpu().numpy()[:, inside].mean(1), "cycle_rmse": np.nan}
    if with_cycle:
        error = (simulation.cycled.cpu() - images[:, 0].cpu()).numpy()[:, inside]
        numbers["cycle_rmse"] = np.sqrt((error**2).mean(1))
    columns["cycled"] = simulation.cycled_logit.cpu().numpy() if with_cycle else np.nan
    return pd.DataFrame(columns), pd.DataFrame(numbers)


def export_scan(
    arrays: dict[str, NDArray],
    affine: NDArray,
    source: str,
    method: str,
    space: str,
    outputs: dict[str, tuple[str, str]],
    seeds: dict[str, int],
) -> None:
    """Write one scan's simulated image, displacement field and log-Jacobian, each with its side-car.

    Args:
        arrays: image (x, y, z); displacement (3, x, y, z) in voxels, pull-back; log_jacobian (x, y, z).
        affine: 4 x 4, voxel -> world mm of the grid.
        source: the image that the simulator was given.
        method: of the simulator.
        space: what the world is.
        outputs: for each array, the paths of the image and of its side-car.
        seeds: for each array, over how many it is the mean.
    """
    facts = {
        "image": {
            "Description": f"the scan without the disease, by {method}"
            if METHODS[method] == "generator"
            else f"the scan in the other group, by {method}: a control's with disease, a patient's without",
            "Units": "those of the scan that it was made from",
        },
        "displacement": {
            "Description": f"displacement of {method}: simulated(p) = scan(p + displacement(p))",
            "Units": "mm along the world axes (right, anterior, superior)",
            "Direction": "pull-back, on the grid of the simulated image",
        },
        "log_jacobian": {
            "Description": f"natural logarithm of the tissue's volume change by the disease, according to {method}",
            "Units": "1; expansion is positive; 100 (exp(value) - 1) is the change in per cent",
            "Direction": "from health to disease for patients and controls alike, in the scan's own frame",
        },
    }
    for name, (image, sidecar) in outputs.items():
        if seeds[name] > 1:
            facts[name]["Description"] += f"; mean over {seeds[name]} seeds"
        if name == "displacement":
            write_displacement(arrays[name], affine, image, space)
        else:
            write_image(np.asarray(arrays[name], np.float32), affine, image, space)
        write_sidecar(sidecar, sources=[source], space=space, tools=("torch",), **facts[name])


def write_displacement(voxels: NDArray, affine: NDArray, path: str | Path, space: str) -> None:
    """Write a displacement as a NIfTI of vectors (x, y, z, 1, 3), in mm along the world's axes.

    Args:
        voxels: (3, x, y, z), in voxels along the axes of the array.
        affine: voxel -> world mm (RAS).
        path: ends in .nii.gz.
        space: what the world is.
    """
    millimetres = np.einsum("ij,jxyz->xyzi", affine[:3, :3], np.asarray(voxels, np.float64)).astype(np.float32)
    image = nib.Nifti1Image(millimetres[:, :, :, None], affine)
    image.header.set_intent("vector")
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, SPACES[space])
    image.set_sform(affine, SPACES[space])
    nib.save(image, path)


def export_scans(
    index: str | Path,
    affine: str | Path,
    arrays: dict[str, list[str]],
    sources: dict[str, str],
    outputs: dict[str, dict[str, tuple[str, str]]],
    method: str,
    space: str,
) -> None:
    """Run `export_scan` for every packed scan.

    Args:
        index: the pack's table.
        affine: JSON, the grid's 4 x 4.
        arrays: of `export_scan`'s arrays, those of all scans, .npy, one file a seed; their mean is written.
        sources: scan -> the image that the simulator was given.
        outputs: scan -> `export_scan`'s outputs.
        method: of the simulator.
        space: of the template.
    """
    scans = pd.read_csv(index, sep="\t", dtype={"scan": str}).scan
    means = {name: mean_rows(paths, range(len(scans))) for name, paths in arrays.items()}
    seeds = {name: len(paths) for name, paths in arrays.items()}
    matrix = np.array(json.loads(Path(affine).read_text()))
    for scan, *of_scan in zip(scans, *means.values(), strict=True):
        export_scan(dict(zip(means, of_scan, strict=True)), matrix, sources[scan], method, space, outputs[scan], seeds)
