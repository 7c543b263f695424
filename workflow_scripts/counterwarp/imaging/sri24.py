"""The SRI24 atlas (Rohlfing 2010): T1, tissues and the regions of tzo116plus, as its files give them."""

from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np

from counterwarp.errors import CounterwarpError
from counterwarp.imaging.io import Volume, read_volume

# Larger labels are ventricles, callosum and pons, slice by slice; some have no name.
REGIONS = 116


@dataclass(frozen=True)
class Sri24:
    """The atlas on its own grid, in RAS order; world mm from the centre of the box around the brain.

    Attributes:
        brain: skull-stripped T1.
        tissues: 0 outside the brain, 1 CSF, 2 grey matter, 3 white matter.
        labels: 1 to 116, 0 elsewhere.
        names: of the labels.
    """

    brain: Volume
    tissues: Volume
    labels: Volume
    names: dict[int, str]


def read_sri24(spgr: str, tissues: str, tzo116plus: str, names: str) -> Sri24:
    """Read the atlas and see that it is what its names promise.

    Its headers put the origin at the corner of the volume, so that the brain lies at negative x altogether, and set no
    qform. Here the origin is the centre of the box around the brain, which lies within 1 mm of the midline.

    Args:
        spgr, tissues, tzo116plus: images of one grid, of three axes or a fourth of length one.
        names: text, in each line label, name and colour.

    Raises:
        CounterwarpError: an image of another grid, other tissues, a label of 1 to 116 without voxels or name, or a left
            side that is not left.
    """
    volumes = [_canonical(read_volume(path)) for path in (spgr, tissues, tzo116plus)]
    for path, volume in zip((spgr, tissues), volumes, strict=False):
        if volume.shape != volumes[2].shape or not np.allclose(volume.affine, volumes[2].affine):
            raise CounterwarpError(
                f"{path}: a grid of shape {volume.shape}, but that of {tzo116plus} has {volumes[2].shape}, or lies "
                "elsewhere; take all files from one release of SRI24"
            )
    if set(np.unique(volumes[1].data)) != {0, 1, 2, 3}:
        raise CounterwarpError(f"{tissues}: values other than 0, 1 (CSF), 2 (grey) and 3 (white); take SRI24's tissues")
    affine = _centred(volumes[1])
    brain, tissue, labels = (replace(volume, affine=affine) for volume in volumes)
    labels = replace(labels, data=np.where(labels.data <= REGIONS, labels.data, 0).astype(np.int16))
    return Sri24(brain, tissue, labels, _names(labels, tzo116plus, names))


def _canonical(volume: Volume) -> Volume:
    image = nib.as_closest_canonical(nib.Nifti1Image(volume.data, volume.affine))
    return Volume(np.asanyarray(image.dataobj), image.affine)


def _centred(tissues: Volume) -> np.ndarray:
    voxels = np.argwhere(tissues.data > 0)
    affine = tissues.affine.copy()
    affine[:3, 3] = -affine[:3, :3] @ (voxels.min(0) + voxels.max(0)) / 2
    return affine


def _names(labels: Volume, image: str, table: str) -> dict[int, str]:
    with open(table) as file:
        rows = [line.split()[:2] for line in file if line.strip()]
    known = {int(row[0]): row[1] for row in rows if len(row) == 2 and row[0].isdigit()}
    wanted = range(1, REGIONS + 1)
    counts = np.bincount(labels.data.ravel(), minlength=REGIONS + 1)
    for path, lost in (
        (table, [label for label in wanted if label not in known]),
        (image, [label for label in wanted if not counts[label]]),
    ):
        if lost:
            what = "name for" if path == table else "voxel of"
            raise CounterwarpError(
                f"{path}: no {what} label {', '.join(map(str, lost))}; regions are the labels 1 to {REGIONS}"
            )
    names = {label: known[label] for label in wanted}
    left, right = (_mean_x(labels, [label for label in names if names[label].endswith(side)]) for side in ("_L", "_R"))
    if not left < right:
        raise CounterwarpError(
            f"{image}: regions named _L lie at x = {left:.0f} mm and those named _R at {right:.0f} mm: left is right; "
            "the header has lost the orientation of the file"
        )
    return names


def _mean_x(labels: Volume, members: list[int]) -> float:
    return float(labels.affine[0, 0] * np.argwhere(np.isin(labels.data, members))[:, 0].mean() + labels.affine[0, 3])
