"""Numbers that say whether the preprocessing of one scan can be trusted."""

import json
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from counterwarp.imaging.conform import INVERTED, LEFT_OR_RIGHT
from counterwarp.imaging.io import Volume, read_sidecar, read_volume
from counterwarp.imaging.resample import FWHM_PER_SD, resample

# Outside of these a human should look: adult brains with their ventricles, and what a good affine reaches. Simulated
# heads are those of MNI152, which are larger: of the demo's 76 true brains 17 have more than 2.2 l, up to 2.47 l.
LITRES, SIMULATED_LITRES = (0.8, 2.2), (0.9, 2.7)
LOWEST_CORRELATION = 0.75
# A brain within the field of view touches its border nowhere but, at most, where the spinal cord begins.
TOUCHING_SHARE = 0.002
BLUR_MM = 8.0


def measure(
    mask: str,
    transform_sidecar: str,
    preprocessed: str,
    template: str,
    template_mask: str,
    conform_sidecar: str,
    true_mask: str | None = None,
    truth: str | None = None,
) -> dict:
    """Quality of one scan's mask and registration.

    Args:
        mask: brain mask on the scan's grid.
        transform_sidecar: JSON with the WorldMatrix of the affine (scanner mm -> the template's mm).
        preprocessed: the brain in the template's space.
        template, template_mask: the T1 that it was registered to, and its mask; the same grid.
        conform_sidecar: JSON with the Warnings of the conform step.
        true_mask: the true brain mask on the grid of the raw scan, where it is known.
        truth: JSON with the true `pose` (4 x 4, scanner mm -> the template's mm), where it is known.

    Returns:
        mask_litres; touching_share (of the mask's voxels, on the border of the field of view); template_correlation
        (inside the template's mask, both blurred); warnings and flags (lists of sentences); and, where the truth is
        known, mask_dice, landmark_error_mm and landmark_error_voxels (mean over the template's brain, in the
        scanner's space), else None.
    """
    brain, moved, target = read_volume(mask), read_volume(preprocessed), read_volume(template)
    inside = read_volume(template_mask)
    numbers = {
        "mask_litres": litres(brain.data > 0.5, brain.affine),
        "touching_share": touching_share(brain.data > 0.5),
        "template_correlation": correlation(*map(blurred, (moved, target)), inside.data > 0.5),
        "mask_dice": None,
        "landmark_error_mm": None,
        "landmark_error_voxels": None,
    }
    if true_mask:
        real = on_grid(read_volume(true_mask), brain)
        numbers["mask_dice"] = dice(brain.data > 0.5, real > 0.5)
    if truth:
        estimated = np.array(read_sidecar(transform_sidecar)["WorldMatrix"])
        pose = np.array(json.loads(Path(truth).read_text())["pose"])
        landmarks = np.argwhere(inside.data > 0.5)[::50] @ inside.affine[:3, :3].T + inside.affine[:3, 3]
        numbers["landmark_error_mm"] = landmark_error(estimated, pose, landmarks)
        numbers["landmark_error_voxels"] = numbers["landmark_error_mm"] / float(np.mean(brain.voxel_mm))
    rounded = {name: None if value is None else round(value, 4) for name, value in numbers.items()}
    warnings = read_sidecar(conform_sidecar)["Warnings"]
    expected = SIMULATED_LITRES if true_mask else LITRES
    return rounded | {"flags": flags(numbers, warnings, expected), "warnings": warnings}


def blurred(volume: Volume) -> np.ndarray:
    """The image as an average brain would look: a sharp scan is not worse registered than a blurred one."""
    return gaussian_filter(volume.data, BLUR_MM / FWHM_PER_SD / volume.voxel_mm)


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


def correlation(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> float:
    """Pearson's correlation of two images inside a mask; 0 where one of them is constant."""
    x, y = a[mask] - a[mask].mean(), b[mask] - b[mask].mean()
    scale = np.sqrt((x**2).sum() * (y**2).sum())
    return float((x * y).sum() / scale) if scale > 0 else 0.0


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


def flags(numbers: dict, warnings: list[str], expected_litres: tuple[float, float] = LITRES) -> list[str]:
    """What a human should look at, a sentence each.

    Args:
        numbers: mask_litres, touching_share and template_correlation.
        warnings: of the conform step.
        expected_litres: lowest and highest volume of a brain.
    """
    low, high = expected_litres
    found = []
    if not low <= numbers["mask_litres"] <= high:
        found.append(f"brain mask of {numbers['mask_litres']:.2f} l, expected {low} to {high} l")
    if numbers["touching_share"] > TOUCHING_SHARE:
        found.append(f"{100 * numbers['touching_share']:.1f} % of the brain mask touches the border: brain cut off?")
    if numbers["template_correlation"] < LOWEST_CORRELATION:
        found.append(f"template correlation {numbers['template_correlation']:.2f}, expected over {LOWEST_CORRELATION}")
    return found + [warning for warning in warnings if LEFT_OR_RIGHT in warning or INVERTED in warning]
