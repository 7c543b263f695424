"""What changed between two scans of a subject, as the later one's place on the network's grid shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from counterwarp.errors import CounterwarpError
from counterwarp.imaging.ants import Stage
from counterwarp.imaging.io import Volume, read_sidecar, read_volume, write_image, write_sidecar
from counterwarp.imaging.normalise import SCALES, network_affine
from counterwarp.imaging.register import estimate
from counterwarp.imaging.resample import corners, resample, resample_inside

RIGID = Stage("Rigid[0.1]", "MI[{fixed},{moving},1,32,Regular,0.25]", "500x250x100", "4x2x1", "2x1x0")


@dataclass(frozen=True)
class Scan:
    """A preprocessed scan.

    Attributes:
        image, mask: the brain and its mask in the template's space.
        transform_sidecar: JSON of the affine that brought it there: WorldMatrix, scanner mm -> the template's.
    """

    image: str
    mask: str
    transform_sidecar: str

    @property
    def to_template(self) -> np.ndarray:
        """4 x 4, scanner mm -> the template's mm."""
        return np.array(read_sidecar(self.transform_sidecar)["WorldMatrix"])


def observed_change(
    earlier: Scan,
    later: Scan,
    template_mask: str,
    network_shape: Sequence[int],
    network_voxel_mm: float,
    network_cut_mm: float,
    intensity: str,
    change: str,
    mask: str,
    sidecar: str,
    seed: int,
    space: str,
) -> None:
    """Write the earlier scan minus the later one, where the later one lies on the network's grid.

    The earlier brain is registered to the later one by a rigid motion (Bigolin Lanfredi et al. 2020, section 3.3), in
    the scanner's space, and both are carried to the grid by the later scan's affine: each one's own affine would take
    out a part of the change.

    Args:
        earlier, later: two scans of a subject.
        template_mask: the brain mask of the template, on which the grid is centred.
        network_shape, network_voxel_mm, network_cut_mm: the network's grid (`network_affine`).
        intensity: how the scans are scaled, a key of SCALES.
        change: output NIfTI, float32, in units of the scaled scans; 0 outside the mask.
        mask: output NIfTI, inside both brains.
        sidecar: JSON of the change.
        seed: of the registration.
        space: of the template.
    """
    template = read_volume(template_mask)
    grid = network_affine(template.data > 0.5, template.affine, list(network_shape), network_voxel_mm, network_cut_mm)
    to_later = np.linalg.inv(estimate(in_scanner(later), in_scanner(earlier), RIGID, seed)[0])
    moved = later.to_template @ to_later @ np.linalg.inv(earlier.to_template)
    (scale, unit), scaled, inside = SCALES[intensity], [], []
    for scan, world in ((earlier, moved), (later, np.eye(4))):
        image, brain = read_volume(scan.image), read_volume(scan.mask).data > 0.5
        values, where = resample_inside(image.data, brain, image.affine, tuple(network_shape), grid, world)
        scaled.append(scale(values, where)[0])
        inside.append(where)
    both = inside[0] & inside[1]
    write_image(np.where(both, scaled[0] - scaled[1], 0).astype(np.float32), grid, change, space)
    write_image(both, grid, mask, space)
    write_sidecar(
        sidecar,
        sources=[earlier.image, later.image],
        space=space,
        tools=("antspyx",),
        Description="The earlier scan, rigidly registered to this one, minus this one",
        Units=unit,
    )


def in_scanner(scan: Scan) -> Volume:
    """A preprocessed brain back in its scanner's space, on a grid as fine as the template's that holds all of it."""
    image, back = read_volume(scan.image), np.linalg.inv(scan.to_template)
    box = corners(image.shape, back @ image.affine)
    edge = image.voxel_mm.min()
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = box.min(0)
    shape = tuple(int(n) for n in np.ceil(np.ptp(box, axis=0) / edge) + 1)
    return Volume(resample(image.data, image.affine, shape, affine, back), affine)


def pack_changes(
    pairs: pd.DataFrame, index: pd.DataFrame, changes: dict[str, str], masks: dict[str, str], output: str
) -> None:
    """Write the observed changes of all pairs whose scans are packed (npz).

    Args:
        pairs: subject, split, earlier, later; one row a pair.
        index: the pack's table.
        changes, masks: of `observed_change` or `counterwarp.imaging.film_pairs`, by the later scan; pairs of failed
            scans are left out of both.
        output: npz of row (of the pack: the later scan), change (n, *grid) float32, mask (bool), subject, split,
            earlier and later (text).

    Raises:
        CounterwarpError: no pair is left.
    """
    row = index.set_index("scan")["row"]
    kept = pairs[pairs["later"].isin(changes) & pairs[["earlier", "later"]].isin(row.index).all(axis=1)]
    if not len(kept):
        raise CounterwarpError(
            f"of {len(pairs)} pairs of scans none is left, because scans failed or are not used "
            "(tables/exclusions.tsv); without pairs set longitudinal to null"
        )
    arrays = {
        "row": row[kept["later"]].to_numpy(),
        "change": np.stack([_read(changes[scan]) for scan in kept["later"]]),
        "mask": np.stack([_read(masks[scan]) > 0.5 for scan in kept["later"]]),
    }
    texts = {name: kept[name].to_numpy(str) for name in ("subject", "split", "earlier", "later")}
    with open(output, "wb") as file:
        np.savez(file, **arrays, **texts)


def _read(path: str) -> np.ndarray:
    return np.load(path) if path.endswith(".npy") else read_volume(path).data
