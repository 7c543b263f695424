"""Denoise a scan and take off its bias field (non-local means, Manjón 2010; N4, Tustison 2010)."""

import numpy as np

from counterwarp.imaging.ants import own_folder, run
from counterwarp.imaging.io import read_volume, write_image

# N4's field is smooth over centimetres: estimated on coarse voxels in few iterations, it is applied to every voxel.
ESTIMATION_MM = 8.0
CONVERGENCE = "[30x30x30,1e-5]"
# Radius in voxels of the search for similar patches: 2 takes three times as long and leaves more noise behind. With
# DenoiseImage's shrink factor more noise comes out than went in.
SEARCH = 1


def correct_bias(path: str, image: str, denoise: bool) -> None:
    """Write the scan at `path`, denoised if asked for, divided by its bias field; same grid, non-negative."""
    volume = read_volume(path)
    with own_folder() as folder:
        head, scan, corrected = folder / "head.nii", folder / "denoised.nii", folder / "corrected.nii"
        run("ThresholdImage", 3, path, head, "Otsu", 1)
        if denoise:
            run("DenoiseImage", "-d", 3, "-i", path, "-x", head, "-n", "Rician", "-r", SEARCH, "-o", scan)
        coarser = max(1, round(ESTIMATION_MM / float(volume.voxel_mm.mean())))
        source = scan if denoise else path
        arguments = ("-d", 3, "-i", source, "-x", head, "-s", coarser, "-c", CONVERGENCE, "-o", corrected)
        run("N4BiasFieldCorrection", *arguments)
        data = read_volume(corrected).data
    write_image(np.maximum(data, 0), volume.affine, image, "scanner")
