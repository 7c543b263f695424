"""Denoise a scan and take off its bias field (non-local means, Manjón 2010; N4, Tustison 2010)."""

import numpy as np

from counterwarp.imaging.ants import from_array, own_folder, start
from counterwarp.imaging.io import read_volume, write_image

# N4's field is smooth over centimetres: estimated on coarse voxels in few iterations, it is applied to every voxel.
ESTIMATION_MM = 4.0
DENOISING_MM = 2.0
ITERATIONS = [20, 20, 20]
TOLERANCE = 1e-4


def correct_bias(path: str, image: str, denoise: bool, seed: int) -> None:
    """Write the scan at `path`, denoised if asked for, divided by its bias field; same grid, non-negative."""
    volume = read_volume(path)
    ants = start(seed)
    fine_enough = _shrink(volume.voxel_mm, DENOISING_MM)
    with own_folder():
        scan = from_array(ants, volume.data, volume.affine)
        head = ants.threshold_image(scan, "Otsu", 1)
        if denoise:
            scan = ants.denoise_image(scan, mask=head, noise_model="Rician", shrink_factor=fine_enough)
        scan = ants.n4_bias_field_correction(
            scan,
            mask=head,
            shrink_factor=max(2, _shrink(volume.voxel_mm, ESTIMATION_MM)),
            convergence={"iters": ITERATIONS, "tol": TOLERANCE},
        )
    corrected = np.nan_to_num(scan.numpy(), posinf=0, neginf=0)
    write_image(np.maximum(corrected, 0), volume.affine, image, "scanner")


def _shrink(voxel_mm: np.ndarray, wanted_mm: float) -> int:
    """The whole factor that brings voxels nearest to the edge wanted."""
    return max(1, round(wanted_mm / float(np.mean(voxel_mm))))
