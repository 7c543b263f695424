"""Tissues of a brain: Atropos (Avants 2011), guided by the template's tissues carried to the scan."""

import numpy as np

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
        for number, tissue in enumerate(TISSUES, 1):
            found = read_volume(folder / f"p{number}.nii").data * (inside.data > 0.5)
            write_image(found, inside.affine, outputs[tissue], space)


def carried_priors(priors: list[Volume], field: Field) -> np.ndarray:
    """The priors on the scan's grid, (tissues, x, y, z); they sum to 1 and none is 0."""
    shares = np.stack([carry(prior.data, prior.affine, field) for prior in priors]) + LEAST
    return shares / shares.sum(0)
