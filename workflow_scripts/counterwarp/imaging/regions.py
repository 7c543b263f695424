"""Volumes of the template's regions in each scan."""

import csv
from collections.abc import Iterable

import numpy as np

from counterwarp.imaging.io import read_volume
from counterwarp.imaging.warp import Field, carry, read_field

COLUMNS = ("scan", "subject", "region", "tissue", "volume_ml")


def region_volumes(scans: Iterable[dict[str, str]], parcellation: str, table: str, output: str) -> None:
    """Measure every region of every scan.

    Volumes are of the brain *after* its affine to MNI152, so they are already corrected for head size.

    Args:
        scans: of each scan its names `scan` and `subject`, and its files `inverse` (template to scan), `GM` and `CSF`.
        parcellation: labels on the template's grid.
        table: TSV of them with index, name and tissue.
        output: TSV with the columns scan, subject, region, tissue, volume_ml; the volume is of the region's own tissue.
    """
    labels = read_volume(parcellation)
    with open(table, newline="") as file:
        regions = list(csv.DictReader(file, delimiter="\t"))
    with open(output, "w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        for scan in scans:
            tissues = {name: read_volume(scan[name]) for name in {region["tissue"] for region in regions}}
            grid = next(iter(tissues.values()))
            inverse = read_field(scan["inverse"]).on(grid.shape, grid.affine)
            shares = {name: tissue.data for name, tissue in tissues.items()}
            volumes = measure(labels.data, labels.affine, inverse, shares, regions)
            for region, volume in zip(regions, volumes, strict=True):
                writer.writerow([scan["scan"], scan["subject"], region["name"], region["tissue"], f"{volume:.4f}"])


def measure(
    labels: np.ndarray, affine: np.ndarray, inverse: Field, tissues: dict[str, np.ndarray], regions: list[dict]
) -> list[float]:
    """Volume, in ml, of each region's own tissue in one scan.

    Each region's share of a voxel (0 to 1, linear) is carried to the scan and multiplied by the tissue's probability:
    small regions are not rounded to whole voxels.

    Args:
        labels, affine: the parcellation (x, y, z) and its voxel -> world.
        inverse: from template to scan, on the scan's grid.
        tissues: probability of each tissue on that grid.
        regions: index and tissue of each.
    """
    voxel_ml = abs(np.linalg.det(inverse.affine[:3, :3])) / 1000
    return [
        float((carry(labels == int(region["index"]), affine, inverse) * tissues[region["tissue"]]).sum() * voxel_ml)
        for region in regions
    ]
