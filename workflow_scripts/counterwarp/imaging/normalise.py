"""Bring a preprocessed brain to the network's grid and scale: one mean, one spread, one background."""

import numpy as np

from counterwarp.errors import ConfigError, ScanError
from counterwarp.imaging.io import read_volume, write_image, write_sidecar
from counterwarp.imaging.resample import corners, resample_inside

# Of the values inside the brain: what becomes -1 and 1.
PERCENTILES = 5, 95
# The darkest voxels of a brain are chance; its darkest level is this share of them.
DARKEST_SHARE = 0.005


def normalise(
    path: str,
    mask: str,
    template_mask: str,
    image: str,
    sidecar: str,
    network_shape: list[int],
    network_voxel_mm: float,
    network_cut_mm: float,
    intensity: str,
    space: str,
) -> None:
    """Write the scan on the network's grid, scaled inside its mask, with the background at the mask's darkest level.

    Args:
        path, mask: the preprocessed brain in the template's space and its mask.
        template_mask: the brain mask of the template, on which the grid is centred.
        image, sidecar: outputs; the side-car says by which numbers it was scaled, and the background.
        network_shape: voxels along x, y, z.
        network_voxel_mm: voxel edge.
        network_cut_mm: see `network_affine`.
        intensity: a key of SCALES.
        space: of the template.

    Raises:
        ScanError: no brain, or no contrast in it.
        ConfigError: the grid is smaller than the template's brain.
    """
    scan, brain, template = read_volume(path), read_volume(mask), read_volume(template_mask)
    affine = network_affine(template.data > 0.5, template.affine, network_shape, network_voxel_mm, network_cut_mm)
    values, inside = resample_inside(scan.data, brain.data > 0.5, scan.affine, tuple(network_shape), affine)
    scale, unit = SCALES[intensity]
    try:
        scaled, numbers = scale(values, inside)
    except ValueError as error:
        raise ScanError(f"{path}: {error}; look at its QC picture and exclude the scan") from error
    write_image(scaled, affine, image, space)
    write_sidecar(
        sidecar,
        sources=[path, mask],
        space=space,
        Units=unit,
        Resolution=f"{network_voxel_mm:g} mm, the network's grid",
        SkullStripped=True,
        **numbers,
    )


def network_affine(
    mask: np.ndarray, affine: np.ndarray, shape: list[int], voxel_mm: float, cut_mm: float = 0.0
) -> np.ndarray:
    """Voxel -> world mm of the network's grid: axes along RAS, centred on the box around the template's brain.

    Args:
        mask, affine: of the template's brain.
        shape, voxel_mm: of the grid.
        cut_mm: this much of the brain's lower end, the brainstem, may lie below the grid, which then starts at the top.

    Raises:
        ConfigError: the brain does not fit.
    """
    voxels = np.argwhere(mask)
    low, high = voxels.min(0), voxels.max(0)
    box = corners(tuple(high - low + 1), affine @ _shift(low))
    size, centre = np.ptp(box, axis=0) + voxel_mm, (box.min(0) + box.max(0)) / 2
    missing = size[2] - shape[2] * voxel_mm
    if 0 < missing <= cut_mm:
        size[2] -= missing
        centre[2] += missing / 2
    if (size > np.array(shape) * voxel_mm).any():
        cover = " x ".join(f"{n * voxel_mm:g}" for n in shape)
        raise ConfigError(
            [
                f"preprocess.network_shape {list(shape)} of {voxel_mm:g} mm covers {cover} mm, but the template's "
                f"brain needs {' x '.join(f'{s:.0f}' for s in size)} mm: raise network_shape or network_voxel_mm, "
                "or let network_cut_mm of the brainstem go"
            ]
        )
    grid = np.diag([voxel_mm] * 3 + [1.0])
    grid[:3, 3] = centre - voxel_mm * (np.array(shape) - 1) / 2
    return grid


def _shift(voxels: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = voxels
    return matrix


def z_score(values: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """(x - mean) / sd with mean and sd over the mask; background and the darkest voxels get one and the same value.

    Args:
        values: (x, y, z).
        inside: bool mask, the same shape.

    Returns:
        scaled: float32; outside the mask it is constant at the lowest value inside.
        numbers: Mean and StandardDeviation (in units of `values`), Background (scaled).

    Raises:
        ValueError: an empty mask, or the same value everywhere in it.
    """
    if not inside.any():
        raise ValueError("the brain mask is empty on the network's grid")
    brain = values[inside]
    dark = np.quantile(brain, DARKEST_SHARE)
    brain = np.maximum(brain, dark)
    mean, spread = float(brain.mean(dtype=np.float64)), float(brain.std(dtype=np.float64))
    if not spread > 0:
        raise ValueError(f"every voxel of the brain is {mean:g}")
    background = (float(dark) - mean) / spread
    scaled = np.full(values.shape, background, np.float32)
    scaled[inside] = (brain - mean) / spread
    numbers = {"Mean": mean, "StandardDeviation": spread, "Background": background}
    return scaled, {name: round(number, 6) for name, number in numbers.items()}


def to_percentiles(values: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Percentiles 5 and 95 of the brain become -1 and 1, beyond which values are cut; as `z_score`.

    The background is -1, so that it is what the darkest brain is, and not mid-grey.
    """
    if not inside.any():
        raise ValueError("the brain mask is empty on the network's grid")
    low, high = (float(value) for value in np.percentile(values[inside], PERCENTILES))
    if not high > low:
        raise ValueError(f"nine tenths of the brain's voxels are {low:g}")
    scaled = np.full(values.shape, -1, np.float32)
    scaled[inside] = np.clip(2 * (values[inside] - low) / (high - low) - 1, -1, 1)
    return scaled, {"Percentile5": round(low, 6), "Percentile95": round(high, 6), "Background": -1.0}


# How intensities are scaled, and in what unit they are then.
SCALES = {
    "z_score": (z_score, "standard deviations from the mean inside the brain mask"),
    "percentiles": (to_percentiles, "percentiles 5 and 95 inside the brain mask are -1 and 1"),
}
