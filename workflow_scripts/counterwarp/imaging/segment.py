"""Tissues of a brain: Atropos (Avants 2011) started from k-means, in the order of their signal on T1."""

import numpy as np

from counterwarp.imaging.ants import own_folder, run
from counterwarp.imaging.io import read_volume, write_image

TISSUES = ("CSF", "GM", "WM")


def segment(path: str, mask: str, outputs: dict[str, str]) -> None:
    """Write the probability of each tissue, 0 to 1, on the scan's grid.

    Args:
        path, mask: the preprocessed brain in MNI152 and its mask.
        outputs: file of each of CSF, GM and WM.
    """
    brain = read_volume(path)
    inside = read_volume(mask).data > 0.5
    with own_folder() as folder:
        # Atropos does not know ANTs' seed: -r 0 makes it draw the same numbers each time.
        results = f"[{folder}/labels.nii,{folder}/share%d.nii]"
        start = ("-i", "KMeans[3]", "-m", "[0.1,1x1x1]", "-c", "[5,0]", "-r", 0)
        run("Atropos", "-d", 3, "-a", path, "-x", mask, *start, "-o", results)
        found = [read_volume(folder / f"share{i}.nii").data for i in (1, 2, 3)]
    for tissue, share in zip(TISSUES, in_order_of_signal(brain.data, inside, found), strict=True):
        write_image(share, brain.affine, outputs[tissue], "MNI152")


def in_order_of_signal(data: np.ndarray, inside: np.ndarray, shares: list[np.ndarray]) -> list[np.ndarray]:
    """The shares of three tissues sorted from the darkest to the brightest; they sum to 1 inside, 0 outside."""
    means = [float((data * share)[inside].sum() / share[inside].sum()) for share in shares]
    total = np.sum(shares, axis=0)
    weight = np.where(inside & (total > 0), 1 / np.maximum(total, 1e-6), 0)
    return [(shares[i] * weight).astype(np.float32) for i in np.argsort(means)]
