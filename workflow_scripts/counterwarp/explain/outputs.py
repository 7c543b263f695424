"""A simulation on disk: arrays of the cohort, and each scan's images with what their numbers mean."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from counterwarp.explain import METHODS
from counterwarp.imaging.io import SPACES, write_image, write_sidecar


def write_simulation(
    simulation,
    images,
    index: pd.DataFrame,
    mask: str | Path,
    maps: str | Path,
    displacement: str | Path,
    simulated: str | Path,
    change: str | Path,
    logits: str | Path,
    quality: str | Path,
    cycled: str | Path | None = None,
) -> None:
    """Write what a simulator or a generator made of all packed scans.

    Args:
        simulation: a `counterwarp.explain.cycle.Simulation` or `counterwarp.explain.defigan.Removal` of n scans.
        images: tensor (n, 1, *grid), the raw images.
        index: the pack's table, one row per scan.
        mask: .npy, bool, the brain on the grid.
        maps, displacement, simulated, change: outputs .npy, float32 and thrice float16 (see `Simulation`).
        logits: output TSV: row, scan, raw, simulated, cycled.
        quality: output TSV: row, scan, folding_share, cycle_rmse (units of the images); both over the brain's voxels.
        cycled: output .npy, float16; None of a generator, which knows no way back: what is of the way back is nan.
    """
    inside = np.load(mask)
    np.save(maps, simulation.maps.cpu().numpy())
    arrays = {"displacement": displacement, "simulated": simulated, "change": change} | (
        {"cycled": cycled} if cycled else {}
    )
    for name, path in arrays.items():
        np.save(path, getattr(simulation, name).cpu().numpy().astype(np.float16))
    columns = {name: getattr(simulation, f"{name}_logit").cpu().numpy() for name in ("raw", "simulated")}
    columns["cycled"] = simulation.cycled_logit.cpu().numpy() if cycled else np.nan
    index[["row", "scan"]].assign(**columns).to_csv(logits, sep="\t", index=False)
    numbers = {"folding_share": simulation.folded.cpu().numpy()[:, inside].mean(1), "cycle_rmse": np.nan}
    if cycled:
        error = (simulation.cycled.cpu() - images[:, 0].cpu()).numpy()[:, inside]
        numbers["cycle_rmse"] = np.sqrt((error**2).mean(1))
    index[["row", "scan"]].assign(**numbers).to_csv(quality, sep="\t", index=False)


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
    opened = {name: [np.load(path, mmap_mode="r") for path in paths] for name, paths in arrays.items()}
    seeds = {name: len(paths) for name, paths in arrays.items()}
    matrix = np.array(json.loads(Path(affine).read_text()))
    for row, scan in enumerate(scans):
        of_scan = {name: np.mean([array[row] for array in of_seeds], axis=0) for name, of_seeds in opened.items()}
        export_scan(of_scan, matrix, sources[scan], method, space, outputs[scan], seeds)
