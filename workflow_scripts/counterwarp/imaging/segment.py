"""Tissues of a brain: Atropos (Avants 2011) started from k-means, in the order of their signal on T1."""

import numpy as np

from counterwarp.imaging.ants import from_array, own_folder, start
from counterwarp.imaging.io import read_volume, write_image

TISSUES = ("CSF", "GM", "WM")


def segment(path: str, mask: str, outputs: dict[str, str], seed: int) -> None:
    """Write the probability of each tissue, 0 to 1, on the scan's grid.

    Args:
        path, mask: the preprocessed brain in MNI152 and its mask.
        outputs: file of each of CSF, GM and WM.
        seed: ANTs' own; Atropos is deterministic by r=0.
    """
    brain = read_volume(path)
    inside = read_volume(mask).data > 0.5
    for tissue, probability in zip(TISSUES, probabilities(brain.data, inside, brain.affine, seed), strict=True):
        write_image(probability, brain.affine, outputs[tissue], "MNI152")


def probabilities(data: np.ndarray, inside: np.ndarray, affine: np.ndarray, seed: int) -> list[np.ndarray]:
    """Probability of CSF, GM and WM at each voxel, float32; they sum to 1 inside the mask and are 0 outside."""
    ants = start(seed)
    with own_folder():
        result = ants.atropos(
            a=from_array(ants, data, affine),
            x=from_array(ants, inside, affine),
            i="KMeans[3]",
            m="[0.1,1x1x1]",
            c="[5,0]",
            r=0,
        )
        found = [image.numpy() for image in result["probabilityimages"]]
    means = [float((data * p)[inside].sum() / p[inside].sum()) for p in found]
    total = np.where(inside, np.sum(found, axis=0), 1)
    total[total == 0] = 1
    return [np.where(inside, found[i] / total, 0).astype(np.float32) for i in np.argsort(means)]
