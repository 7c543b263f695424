"""Find the brain: a head template is registered to the scan and takes its brain mask along."""

import numpy as np
from scipy.ndimage import binary_fill_holes, label

from counterwarp.errors import ScanError
from counterwarp.imaging.ants import Stage, own_folder, run, run_registration
from counterwarp.imaging.io import Volume, read_volume, write_image, write_sidecar
from counterwarp.imaging.register import AFFINE_STAGES
from counterwarp.imaging.resample import at_least, resample

# Finer voxels cost minutes and do not move the edge of the mask.
WORKING_MM = 2.0
SYN = Stage("SyN[0.2,3,0]", "MI[{fixed},{moving},1,32]", "30x6", "4x2", "2x1")


def strip(path: str, head: str, head_mask: str, mask: str, sidecar: str, seed: int) -> None:
    """Write the brain mask (uint8, the scan's grid) of the bias-corrected scan at `path`.

    Args:
        path: the scan.
        head, head_mask: a T1-weighted whole-head template and its brain mask.
        mask, sidecar: outputs.
        seed: of the registration.

    Raises:
        ScanError: the registration fails or leaves no brain.
    """
    scan, template = read_volume(path), read_volume(head)
    prior = read_volume(head_mask)
    filled = largest_solid(prior.data > 0.5)
    brain = largest_solid(carry_mask(scan, template, Volume(filled.astype(np.float32), prior.affine), seed) > 0.5)
    if not brain.any():
        raise ScanError(f"{path}: no brain found; look at the scan: is it a whole T1-weighted head?")
    write_image(brain, scan.affine, mask, "scanner")
    write_sidecar(
        sidecar,
        sources=[path, head, head_mask],
        space="scanner",
        tools=("antspyx",),
        Type="Brain",
        Description="Mask of the head template carried by affine and SyN registration",
        VolumeInLitres=round(float(brain.sum() * np.prod(scan.voxel_mm) * 1e-6), 4),
    )


def carry_mask(scan: Volume, template: Volume, mask: Volume, seed: int) -> np.ndarray:
    """The template's mask on the scan's grid, between 0 and 1: affine and SyN of the template to the scan."""
    coarse = at_least(scan, WORKING_MM)
    with own_folder() as folder:
        files = {"fixed": coarse, "moving": at_least(template, float(coarse.voxel_mm.mean())), "mask": mask}
        for name, volume in files.items():
            write_image(volume.data, volume.affine, folder / f"{name}.nii", "scanner")
        fixed, moving, carried = folder / "fixed.nii", folder / "moving.nii", folder / "carried.nii"
        run_registration(fixed, moving, (*AFFINE_STAGES, SYN), f"{folder}/", centre=True, seed=seed)
        transforms = ("-t", folder / "1Warp.nii.gz", "-t", folder / "0GenericAffine.mat")
        run("antsApplyTransforms", "-d", 3, "-i", folder / "mask.nii", "-r", fixed, *transforms, "-o", carried)
        found = read_volume(carried).data
    return found if coarse is scan else resample(found, coarse.affine, scan.shape, scan.affine)


def largest_solid(mask: np.ndarray) -> np.ndarray:
    """The largest connected part of a mask, its holes filled."""
    parts, count = label(mask)
    if not count:
        return mask
    return binary_fill_holes(parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1)
