"""Numbers that say whether the preprocessing of one scan can be trusted."""

import json
from pathlib import Path

import numpy as np

from counterwarp.imaging.conform import INVERTED, LEFT_OR_RIGHT
from counterwarp.imaging.io import Volume, read_sidecar, read_volume
from counterwarp.imaging.refine import Ground, fit
from counterwarp.imaging.resample import resample
from counterwarp.imaging.surface import surface

# Beyond the first limit a human should look; beyond the second the scan is bad by this alone. Measured on 46 good masks
# and maps (5 people of IXI as scanned and with enlarged ventricles, 36 brains of ds002748) and on faults of known size
# in them, by tests/bench/quality.py. The numbers of good ones follow each limit.
# 1.26 to 1.77 l, mean 1.50, standard deviation 0.13.
LITRES, GROSS_LITRES = (1.0, 1.9), (0.8, 2.2)
# Simulated heads are those of MNI152, which are larger: of the demo's 76 true brains 17 have more than 2.2 l, up to
# 2.47 l.
SIMULATED_LITRES = (0.9, 2.7)
# None: a brain within the field of view touches its border nowhere but, at most, where the spinal cord begins.
TOUCHING_SHARE, GROSS_TOUCHING_SHARE = 0.002, 0.02
# At most 0.23; 0.40 and more where the mask is 4 mm too small.
OUTSIDE_SIGNAL, GROSS_OUTSIDE_SIGNAL = 0.35, 0.7
# At most 0.006; 0.10 and more where a tenth of the brain is cut off.
CUT_SHARE, GROSS_CUT_SHARE = 0.05, 0.15
# At most 0.14; 0.6 and more where the mask is 4 to 6 mm too large. No share is gross: some tools' masks hold the fluid
# around the brain everywhere, as those of ds002748 do.
LOOSE_SHARE = 0.3
# At most 0.04; 0.07 and more where the mask takes in face, neck or skull.
BEYOND_SHARE, GROSS_BEYOND_SHARE = 0.06, 0.15
# At least 0.90, and 0.89 on a template of 3 mm.
TEMPLATE_DICE, GROSS_TEMPLATE_DICE = 0.88, 0.8
# At least 0.89, and 0.88 on a template of 3 mm.
CORRELATION, GROSS_CORRELATION = 0.86, 0.75
# At most 1.7 mm; where a map is put off by 3 to 20 mm, that within about a millimetre.
MISFIT_MM, GROSS_MISFIT_MM = 3.5, 8.0


def measure(
    scan: str,
    mask: str,
    transform_sidecar: str,
    template: str,
    template_mask: str,
    conform_sidecar: str,
    true_mask: str | None = None,
    truth: str | None = None,
) -> dict:
    """Quality of one scan's mask and registration.

    Args:
        scan: bias-corrected.
        mask: brain mask on the scan's grid.
        transform_sidecar: JSON with the WorldMatrix of the affine (scanner mm -> the template's mm).
        template, template_mask: the T1 that it was registered to, and its mask; the same grid.
        conform_sidecar: JSON with the Warnings of the conform step.
        true_mask: the true brain mask on the grid of the raw scan, where it is known.
        truth: JSON with the true `pose` (4 x 4, scanner mm -> the template's mm), where it is known.

    Returns:
        grade (good, check or bad); mask_litres; touching_share (of the mask's voxels, on the border of the field of
        view); what `surface` and `fit` give; warnings and flags (lists of sentences); and, where the truth is known,
        mask_dice, landmark_error_mm and landmark_error_voxels (mean over the template's brain, in the scanner's
        space), else None.
    """
    image, brain, target = read_volume(scan), read_volume(mask), read_volume(template)
    inside, within = brain.data > 0.5, read_volume(template_mask)
    world = np.array(read_sidecar(transform_sidecar)["WorldMatrix"])
    numbers = {
        "mask_litres": litres(inside, brain.affine),
        "touching_share": touching_share(inside),
        **surface(image, inside),
        **fit(Ground(target, within.data > 0.5), image, inside, world),
    }
    warnings = read_sidecar(conform_sidecar)["Warnings"]
    expected = SIMULATED_LITRES if true_mask else None
    found = flags(numbers, warnings, expected)
    known = {"mask_dice": None, "landmark_error_mm": None, "landmark_error_voxels": None}
    if true_mask:
        real = on_grid(read_volume(true_mask), brain)
        known["mask_dice"] = dice(inside, real > 0.5)
    if truth:
        pose = np.array(json.loads(Path(truth).read_text())["pose"])
        landmarks = np.argwhere(within.data > 0.5)[::50] @ within.affine[:3, :3].T + within.affine[:3, 3]
        known["landmark_error_mm"] = landmark_error(world, pose, landmarks)
        known["landmark_error_voxels"] = known["landmark_error_mm"] / float(np.mean(brain.voxel_mm))
    rounded = {name: None if value is None else round(value, 4) for name, value in (numbers | known).items()}
    return {"grade": grade(numbers, found, expected)} | rounded | {"flags": found, "warnings": warnings}


def on_grid(raw: Volume, conformed: Volume) -> np.ndarray:
    """An image on a raw scan's grid, on the grid of the conformed scan, which may have been cut."""
    ordered = same_order(raw.data, raw.affine)
    if ordered.shape == conformed.shape:
        return ordered
    return resample(raw.data, raw.affine, conformed.shape, conformed.affine, order=0)


def same_order(data: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """The voxels in the RAS order that conform gives to a scan."""
    import nibabel as nib

    return nib.orientations.apply_orientation(data, nib.io_orientation(affine))


def litres(mask: np.ndarray, affine: np.ndarray) -> float:
    """Volume of a mask."""
    return float(mask.sum() * abs(np.linalg.det(affine[:3, :3])) * 1e-6)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """2 |a and b| / (|a| + |b|) of two bool masks."""
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def landmark_error(estimated: np.ndarray, true: np.ndarray, landmarks: np.ndarray) -> float:
    """Mean distance, mm in the scanner's space, between where two matrices put points of the template.

    Args:
        estimated, true: 4 x 4, scanner mm -> the template's mm.
        landmarks: (n, 3) the template's mm.
    """
    difference = np.linalg.inv(estimated) - np.linalg.inv(true)
    return float(np.linalg.norm(landmarks @ difference[:3, :3].T + difference[:3, 3], axis=1).mean())


def touching_share(mask: np.ndarray) -> float:
    """Share of a mask's voxels on the border of the field of view; 0 for an empty mask."""
    inner = mask[1:-1, 1:-1, 1:-1].sum()
    return float(1 - inner / mask.sum()) if mask.any() else 0.0


def flags(numbers: dict, warnings: list[str], expected_litres: tuple[float, float] | None = None) -> list[str]:
    """What a human should look at, a sentence each.

    Args:
        numbers: mask_litres, touching_share, and those of `surface` and `fit`.
        warnings: of the conform step.
        expected_litres: lowest and highest volume of a brain, where it is not LITRES.
    """
    low, high = expected_litres or LITRES
    found = []
    if not low <= numbers["mask_litres"] <= high:
        found.append(f"brain mask of {numbers['mask_litres']:.2f} l, expected {low} to {high} l")
    if numbers["touching_share"] > TOUCHING_SHARE:
        found.append(f"{100 * numbers['touching_share']:.1f} % of the brain mask touches the border: brain cut off?")
    if numbers["outside_signal"] > OUTSIDE_SIGNAL:
        found.append(
            f"just outside the mask {numbers['outside_signal']:.2f} of the brain's signal, expected under "
            f"{OUTSIDE_SIGNAL}: mask too small, too large or shifted?"
        )
    if numbers["cut_share"] > CUT_SHARE:
        found.append(
            f"{numbers['cut_share']:.0%} of the mask's surface has brain outside, expected under {CUT_SHARE:.0%}: "
            "brain left out?"
        )
    if numbers["loose_share"] > LOOSE_SHARE:
        found.append(
            f"{numbers['loose_share']:.0%} of the mask's surface is dark inside, expected under {LOOSE_SHARE:.0%}: "
            "mask too large?"
        )
    if numbers["beyond_share"] > BEYOND_SHARE:
        found.append(
            f"{numbers['beyond_share']:.0%} of the mask is away from the template's brain, expected under "
            f"{BEYOND_SHARE:.0%}: more than the brain?"
        )
    if numbers["template_dice"] < TEMPLATE_DICE:
        found.append(f"Dice with the template's brain {numbers['template_dice']:.2f}, expected over {TEMPLATE_DICE}")
    if numbers["template_correlation"] < CORRELATION:
        found.append(f"template correlation {numbers['template_correlation']:.2f}, expected over {CORRELATION}")
    if numbers["misfit_mm"] > MISFIT_MM:
        found.append(
            f"a better place on the template is {numbers['misfit_mm']:.1f} mm away, expected under {MISFIT_MM} mm: "
            "misregistered?"
        )
    return found + [warning for warning in warnings if LEFT_OR_RIGHT in warning or INVERTED in warning]


def grade(numbers: dict, found: list[str], expected_litres: tuple[float, float] | None = None) -> str:
    """good without flags; bad with two or more, or with one number far beyond its limit; else check.

    Args:
        numbers: as `flags`.
        found: the flags.
        expected_litres: as `flags`; beyond them a scan is bad.
    """
    low, high = expected_litres or GROSS_LITRES
    gross = (
        not low <= numbers["mask_litres"] <= high
        or numbers["touching_share"] > GROSS_TOUCHING_SHARE
        or numbers["outside_signal"] > GROSS_OUTSIDE_SIGNAL
        or numbers["cut_share"] > GROSS_CUT_SHARE
        or numbers["beyond_share"] > GROSS_BEYOND_SHARE
        or numbers["template_dice"] < GROSS_TEMPLATE_DICE
        or numbers["template_correlation"] < GROSS_CORRELATION
        or numbers["misfit_mm"] > GROSS_MISFIT_MM
    )
    if gross or len(found) > 1:
        return "bad"
    return "check" if found else "good"
