"""Tissues of a brain: Atropos (Avants 2011), guided by the template's tissues carried to the scan, or by k-means."""

import numpy as np

from counterwarp.errors import ScanError
from counterwarp.imaging.ants import own_folder, run
from counterwarp.imaging.io import Volume, read_volume, write_image, write_sidecar
from counterwarp.imaging.warp import Field, carry, read_field

TISSUES = ("CSF", "GM", "WM")
# No tissue is impossible anywhere.
LEAST = 0.01
# The three classes of least squares, which is what k-means looks for; of one signal Otsu's thresholds are exactly that.
# Atropos' own search (KMeans[3]) starts at even distances and on a real head ended in three times the fluid.
KMEANS = "Otsu[3]"


def segment(
    path: str,
    mask: str,
    outputs: dict[str, str],
    sidecar: str,
    space: str,
    inverse: str = "",
    priors: dict[str, str] | None = None,
    prior_weight: float = 0.1,
) -> None:
    """Write the probability of each tissue, 0 to 1, on the scan's grid; they sum to 1 in the mask and are 0 outside.

    Args:
        path, mask: the preprocessed brain in the template's space and its mask.
        outputs: file of each of CSF, GM and WM.
        sidecar: the JSON of the three.
        space: of the template.
        inverse: field that brings images of the template to the scan; of priors.
        priors: probability of each tissue in the template. None: k-means finds three classes by their signal alone, and
            the darkest is taken for CSF and the brightest for WM, which a scan of another contrast does not contradict.
        prior_weight: of the priors beside the scan's signal, 0 to 1.

    Raises:
        ScanError: as `check_order`.
    """
    inside = read_volume(mask)
    with own_folder() as folder:
        guide = _write_priors(priors, inverse, inside, folder, space, prior_weight) if priors else KMEANS
        # Atropos does not know ANTs' seed: -r 0 makes it draw the same numbers each time.
        command = ("Atropos", "-d", 3, "-a", path, "-x", mask, "-i", guide, "-m", "[0.1,1x1x1]", "-c", "[5,0]", "-r", 0)
        command += ("-o", f"[{folder}/l.nii,{folder}/p%d.nii]")
        run(*command)
        shares = [read_volume(folder / f"p{number}.nii").data * (inside.data > 0.5) for number in (1, 2, 3)]
        line = " ".join(map(str, command)).replace(f"{folder}/", "./")
    signal = read_volume(path).data
    found = dict(zip(TISSUES, shares if priors else darkest_first(signal, shares), strict=True))
    check_order(signal, found, path)
    for tissue, share in found.items():
        write_image(share, inside.affine, outputs[tissue], space)
    write_sidecar(
        sidecar,
        sources=[path, mask, *(priors or {}).values()],
        space=space,
        tools=("antspyx",),
        Description="Probability of the tissue that the label names, by Atropos, "
        + ("guided by the template's tissues" if priors else "guided by k-means of the signal, darkest to brightest"),
        Engine="priors" if priors else "kmeans",
        CommandLines=[line],
    )


def _write_priors(priors: dict[str, str], inverse: str, inside: Volume, folder, space: str, weight: float) -> str:
    """The carried priors, written where Atropos looks for them, and how it is told so."""
    field = read_field(inverse).on(inside.shape, inside.affine)
    for number, share in enumerate(carried_priors([read_volume(priors[tissue]) for tissue in TISSUES], field), 1):
        write_image(share, inside.affine, folder / f"prior{number}.nii", space)
    return f"PriorProbabilityImages[3,{folder}/prior%d.nii,{weight}]"


def darkest_first(signal: np.ndarray, shares: list[np.ndarray]) -> list[np.ndarray]:
    """The shares (x, y, z) of some classes, by the mean of the signal (x, y, z) in each."""
    return sorted(shares, key=lambda share: _mean(signal, share))


def _mean(signal: np.ndarray, share: np.ndarray) -> float:
    return float(np.average(signal, weights=share + 1e-9))


def check_order(signal: np.ndarray, shares: dict[str, np.ndarray], path: str) -> None:
    """Raise a ScanError where the tissues are not darker to brighter, as in a T1-weighted scan.

    Args:
        signal: (x, y, z), the scan.
        shares: probability of each of CSF, GM and WM.
        path: of the scan, for the message.
    """
    means = {tissue: _mean(signal, share) for tissue, share in shares.items()}
    if not means["CSF"] < means["GM"] < means["WM"]:
        said = ", ".join(f"{tissue} {mean:.4g}" for tissue, mean in means.items())
        raise ScanError(f"{path}: mean signal is {said}, but CSF < GM < WM in a T1-weighted scan; check its contrast")


def carried_priors(priors: list[Volume], field: Field) -> np.ndarray:
    """The priors on the scan's grid, (tissues, x, y, z); they sum to 1 and none is 0."""
    shares = np.stack([carry(prior.data, prior.affine, field) for prior in priors]) + LEAST
    return shares / shares.sum(0)
