"""The regions that are measured, of either atlas, on the grid of its template.

Only the script of the parcellation imports this, so that one more region registers no scan and trains nothing again.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from counterwarp.cohorts import phantom
from counterwarp.cohorts.phantom import Region
from counterwarp.cohorts.planted import affected
from counterwarp.imaging.desikan import read_desikan
from counterwarp.imaging.io import Volume, write_image
from counterwarp.imaging.regions import labels_of
from counterwarp.imaging.resample import resample
from counterwarp.imaging.sri24 import read_sri24

LOG = logging.getLogger("counterwarp")
# Of MNI152, on the right side; the left is its mirror image.
REGIONS = (
    *phantom.STRUCTURES,
    Region("superior_frontal", "GM", (18, 40, 42), (18, 15, 56), 14),
    Region("orbitofrontal", "GM", (14, 42, -20), (32, 34, -14), 11),
    Region("precentral", "GM", (36, -16, 56), (52, -4, 34), 12),
    Region("superior_parietal", "GM", (22, -60, 60), (32, -50, 56), 14),
    Region("occipital", "GM", (16, -94, 4), (30, -86, 10), 14),
    Region("lateral_temporal", "GM", (58, -10, -12), (60, -40, 2), 11),
    Region("insula", "GM", (38, 10, -4), (38, -10, 6), 9),
    Region("cerebellum", "GM", (18, -64, -40), (36, -64, -40), 16),
)
# Of SRI24, besides its own: Liu et al. 2021 look at each of these on both sides together.
ORBITOFRONTAL = ("Frontal_Sup_Orb", "Frontal_Med_Orb", "Rectus", "Olfactory")


@dataclass(frozen=True)
class Parcellation:
    """The regions of a template.

    Attributes:
        affine: 4 x 4, voxel -> world mm (RAS), of the template.
        labels: (x, y, z) int16, 0 outside every region.
        regions: index (label; of a region made of others, theirs with spaces between), name, tissue and, where it is
            known, affected (the sign of the disease's change, 0 for none).
    """

    affine: np.ndarray
    labels: np.ndarray
    regions: pd.DataFrame


def write_parcellation(parcellation: Parcellation, space: str, labels: str, label_table: str) -> None:
    """Write a parcellation.

    Args:
        parcellation: what to write.
        space: what its world coordinates are.
        labels: image.
        label_table: TSV.
    """
    write_image(parcellation.labels, parcellation.affine, labels, space)
    parcellation.regions.to_csv(label_table, sep="\t", index=False)


def mni152_regions(template: Volume, log_changes: dict[str, float]) -> Parcellation:
    """The regions of the demo.

    Args:
        template: any image on the template's grid.
        log_changes: cohort.demo.regions, which says what is affected and how.
    """
    drawn, table = phantom.draw(REGIONS)
    regions = pd.DataFrame(table)[["index", "name", "tissue"]]
    affected = {structure: int(np.sign(change)) for structure, change in log_changes.items()}
    regions["affected"] = [affected.get(row["structure"], 0) for row in table]
    return Parcellation(template.affine, _on_grid(Volume(drawn, phantom.HEAD.affine), template), regions)


def desikan_regions(template: Volume) -> Parcellation:
    """The regions of people's brains in MNI152.

    Args:
        template: any image on the template's grid.
    """
    atlas, rows = read_desikan()
    return Parcellation(template.affine, _on_grid(atlas, template), pd.DataFrame(rows))


def sri24_regions(template: Volume, files: list[str]) -> Parcellation:
    """The 116 regions of tzo116plus and the paper's four orbitofrontal ones of both sides.

    Volumes are of grey matter in every region. A region too small for the voxels is left out, and said.

    Args:
        template: any image on the template's grid.
        files: of `read_sri24`, in its order.
    """
    atlas = read_sri24(*files)
    labels = _on_grid(atlas.labels, template)
    return Parcellation(template.affine, labels, pd.DataFrame(named_regions(labels, atlas.names)).assign(tissue="GM"))


def with_affected(parcellation: Parcellation, log_changes: dict[str, float]) -> Parcellation:
    """The parcellation, with which regions a planted disease changes and how (cohort.plant.regions)."""
    changes = affected(parcellation.regions["name"], log_changes)
    signs = [int(np.sign(changes[name])) for name in parcellation.regions["name"]]
    return replace(parcellation, regions=parcellation.regions.assign(affected=signs))


def _on_grid(labels: Volume, template: Volume) -> np.ndarray:
    return resample(labels.data, labels.affine, template.shape, template.affine, order=0).astype(np.int16)


def named_regions(labels: np.ndarray, names: dict[int, str]) -> list[dict[str, str]]:
    """index and name of each region that has voxels, then of the orbitofrontal ones, left and right together."""
    present = [label for label in names if (labels == label).any()]
    lost = [names[label] for label in names if label not in present]
    if lost:
        LOG.warning("too small for preprocess.resolution_mm and left out: %s", ", ".join(lost))
    numbers = {names[label]: str(label) for label in present}
    rows = [{"index": number, "name": name} for name, number in numbers.items()]
    for name in ORBITOFRONTAL:
        sides = [numbers[side] for side in (f"{name}_L", f"{name}_R") if side in numbers]
        if len(sides) == 2:
            rows.append({"index": " ".join(sides), "name": name})
    return rows


def of_several(table: pd.DataFrame) -> list[str]:
    """Names of the regions of a parcellation's table (index, name) that are made of others."""
    return table.loc[table["index"].map(labels_of).str.len() > 1, "name"].to_list()
