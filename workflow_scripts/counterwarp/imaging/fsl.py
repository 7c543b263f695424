"""FSL's programs, where FSL is installed, through nipype; FLIRT's matrices, by fslpy, with or without it."""

from pathlib import Path

import nibabel as nib
import numpy as np

from counterwarp.imaging.ants import own_folder
from counterwarp.imaging.external import interface, run_interface
from counterwarp.imaging.io import Volume, read_volume, write_image

# FLIRT's own. Within 45 degrees it put a head upside down.
SEARCH_DEGREES = [-90, 90]
# Kept below the top of the head. FSL's own 170 cut off a tenth of one living brain.
HEAD_MM = 190


def reorient_and_crop(scan: Volume) -> tuple[Volume, list[str]]:
    """The scan after fslreorient2std and robustfov, which cuts off the neck; in RAS order.

    Returns:
        The scan, and the command lines.

    Raises:
        ScanError: one of the two gave up.
    """
    with own_folder() as folder:
        write_image(scan.data, scan.affine, folder / "scan.nii", "scanner")
        standard, cut = folder / "std.nii", {"out_roi": folder / "cut.nii", "out_transform": folder / "cut.mat"}
        commands = [
            _run("fsl.Reorient2Std", folder, in_file=folder / "scan.nii", out_file=standard),
            _run("fsl.RobustFOV", folder, in_file=standard, brainsize=HEAD_MM, **cut),
        ]
        image = nib.as_closest_canonical(_image(read_volume(folder / "cut.nii")))
        return Volume(np.asanyarray(image.dataobj), image.affine), commands


def bet(scan: Volume, fraction: float) -> tuple[np.ndarray, list[str]]:
    """Brain by BET (Smith 2002): its bool mask on the scan's grid, and the command line.

    Args:
        scan: a head, or a brain for BET to trim.
        fraction: -f, 0 to 1; a smaller one leaves more.

    Raises:
        ScanError: BET gave up.
    """
    with own_folder() as folder:
        write_image(scan.data, scan.affine, folder / "scan.nii", "scanner")
        inputs = {"in_file": folder / "scan.nii", "out_file": folder / "brain.nii", "mask": True, "frac": fraction}
        command = _run("fsl.BET", folder, **inputs)
        return read_volume(folder / "brain_mask.nii").data > 0.5, [command]


def flirt(brain: Volume, template: Volume, dof: int) -> tuple[np.ndarray, list[str]]:
    """Linear registration by FLIRT (Jenkinson 2002), and the command line.

    Args:
        brain, template: two brains.
        dof: degrees of freedom.

    Returns:
        4 x 4 world matrix, the brain's mm -> the template's mm (RAS), and the command line.

    Raises:
        ScanError: FLIRT gave up.
    """
    with own_folder() as folder:
        for name, volume in (("brain", brain), ("template", template)):
            write_image(volume.data, volume.affine, folder / f"{name}.nii", "scanner")
        inputs = {"in_file": folder / "brain.nii", "reference": folder / "template.nii", "dof": dof}
        inputs |= {"out_file": folder / "moved.nii", "out_matrix_file": folder / "flirt.mat"}
        inputs |= {f"searchr_{axis}": SEARCH_DEGREES for axis in "xyz"}
        command = _run("fsl.FLIRT", folder, **inputs)
        return from_flirt(np.loadtxt(folder / "flirt.mat"), brain, template), [command]


def _run(name: str, folder: Path, **inputs) -> str:
    return run_interface(interface(name, folder, **inputs), folder)


def from_flirt(matrix: np.ndarray, source: Volume, reference: Volume) -> np.ndarray:
    """World matrix (source mm -> reference mm, RAS) of FLIRT's, which holds for the grids of these two images only."""
    from fsl.transform.flirt import fromFlirt

    return fromFlirt(matrix, *map(_nifti, (source, reference)), "world", "world")


def to_flirt(world: np.ndarray, source: Volume, reference: Volume) -> np.ndarray:
    """FLIRT's matrix for the grids of these two images, of a world matrix (source mm -> reference mm, RAS)."""
    from fsl.transform.flirt import toFlirt

    return toFlirt(world, *map(_nifti, (source, reference)), "world", "world")


def _nifti(volume: Volume):
    from fsl.data.image import Nifti

    return Nifti(_image(volume).header)


def _image(volume: Volume) -> nib.Nifti1Image:
    return nib.Nifti1Image(volume.data, volume.affine)
