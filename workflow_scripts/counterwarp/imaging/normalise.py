"""Bring a preprocessed brain to the network's grid and scale: one mean, one spread, one background."""

import numpy as np

from counterwarp.errors import ConfigError, ScanError
from counterwarp.imaging.io import read_volume, write_image, write_sidecar
from counterwarp.imaging.resample import corners, resample_inside

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
    space: str,
) -> None:
    """Write the scan on the network's grid, z-scored inside its mask, with the background at the mask's darkest level.

    Args:
        path, mask: the preprocessed brain in the template's space and its mask.
        template_mask: the brain mask of the template, on which the grid is centred.
        image, sidecar: outputs; the side-car says the mean, the spread and the background.
        network_shape: voxels along x, y, z.
        network_voxel_mm: voxel edge.
        space: of the template.

    Raises:
        ScanError: no brain, or no contrast in it.
        ConfigError: the grid is smaller than the template's brain.
    """
    scan, brain, template = read_volume(path), read_volume(mask), read_volume(template_mask)
    affine = network_affine(template.data > 0.5, template.affine, network_shape, network_voxel_mm)
    values, inside = resample_inside(scan.data, brain.data > 0.5, scan.affine, tuple(network_shape), affine)
    try:
        scaled, numbers = z_score(values, inside)
    except ValueError as error:
        raise ScanError(f"{path}: {error}; look at its QC picture and exclude the scan") from error
    write_image(scaled, affine, image, space)
    write_sidecar(
        sidecar,
        sources=[path, mask],
        space=space,
        Units="standard deviations from the mean inside the brain mask",
        Resolution=f"{network_voxel_mm:g} mm, the network's grid",
        SkullStripped=True,
        **numbers,
    )


def network_affine(mask: np.ndarray, affine: np.ndarray, shape: list[int], voxel_mm: float) -> np.ndarray:
    """Voxel -> world mm of the network's grid: axes along RAS, centred on the box around the template's brain.

    Raises:
        ConfigError: the brain does not fit.
    """
    voxels = np.argwhere(mask)
    low, high = voxels.min(0), voxels.max(0)
    box = corners(tuple(high - low + 1), affine @ _shift(low))
    size, centre = np.ptp(box, axis=0) + voxel_mm, (box.min(0) + box.max(0)) / 2
    if (size > np.array(shape) * voxel_mm).any():
        cover = " x ".join(f"{n * voxel_mm:g}" for n in shape)
        raise ConfigError(
            [
                f"preprocess.network_shape {list(shape)} of {voxel_mm:g} mm covers {cover} mm, but the template's "
                f"brain needs {' x '.join(f'{s:.0f}' for s in size)} mm: raise network_shape or network_voxel_mm"
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
