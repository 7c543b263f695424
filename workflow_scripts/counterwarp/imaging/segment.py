"""Tissues of a brain: Atropos (Avants 2011), guided by the template's tissues carried to the scan."""

import numpy as np

from counterwarp.errors import ScanError
from counterwarp.imaging.ants import own_folder, run
from counterwarp.imaging.io import Volume, read_volume, write_image
from counterwarp.imaging.warp import Field, carry, read_field

TISSUES = ("CSF", "GM", "WM")
# Of the carried tissues against the scan's signal. Without them Atropos takes the bright cortex of the cerebellum for
# white matter.
PRIOR_WEIGHT = 0.5
# No tissue is impossible anywhere.
LEAST = 0.01


def segment(path: str, mask: str, inverse: str, priors: dict[str, str], outputs: dict[str, str], space: str) -> None:
    """Write the probability of each tissue, 0 to 1, on the scan's grid; they sum to 1 in the mask and are 0 outside.

    Args:
        path, mask: the preprocessed brain in the template's space and its mask.
        inverse: field that brings images of the template to the scan.
        priors: probability of each of CSF, GM and WM in the template.
        outputs: file of each.
        space: of the template.

    Raises:
        ScanError: as `check_order`.
    """
    inside = read_volume(mask)
    field = read_field(inverse).on(inside.shape, inside.affine)
    with own_folder() as folder:
        for number, share in enumerate(carried_priors([read_volume(priors[tissue]) for tissue in TISSUES], field), 1):
            write_image(share, inside.affine, folder / f"prior{number}.nii", space)
        guide = f"PriorProbabilityImages[3,{folder}/prior%d.nii,{PRIOR_WEIGHT}]"
        settings = ("-i", guide, "-m", "[0.1,1x1x1]", "-c", "[5,0]")
        # Atropos does not know ANTs' seed: -r 0 makes it draw the same numbers each time.
        run("Atropos", "-d", 3, "-a", path, "-x", mask, *settings, "-r", 0, "-o", f"[{folder}/l.nii,{folder}/p%d.nii]")
        found = {
            tissue: read_volume(folder / f"p{number}.nii").data * (inside.data > 0.5)
            for number, tissue in enumerate(TISSUES, 1)
        }
    check_order(read_volume(path).data, found, path)
    for tissue, share in found.items():
        write_image(share, inside.affine, outputs[tissue], space)


def check_order(signal: np.ndarray, shares: dict[str, np.ndarray], path: str) -> None:
    """Raise a ScanError where the tissues are not darker to brighter, as in a T1-weighted scan.

    Args:
        signal: (x, y, z), the scan.
        shares: probability of each of CSF, GM and WM.
        path: of the scan, for the message.
    """
    means = {tissue: float(np.average(signal, weights=share + 1e-9)) for tissue, share in shares.items()}
    if not means["CSF"] < means["GM"] < means["WM"]:
        said = ", ".join(f"{tissue} {mean:.4g}" for tissue, mean in means.items())
        raise ScanError(f"{path}: mean signal is {said}, but CSF < GM < WM in a T1-weighted scan; check its contrast")


def carried_priors(priors: list[Volume], field: Field) -> np.ndarray:
    """The priors on the scan's grid, (tissues, x, y, z); they sum to 1 and none is 0."""
    shares = np.stack([carry(prior.data, prior.affine, field) for prior in priors]) + LEAST
    return shares / shares.sum(0)
