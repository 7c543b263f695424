"""Volumes of the template's regions in a scan."""

import csv

import numpy as np
from nibabel.affines import voxel_sizes
from scipy.ndimage import map_coordinates

from counterwarp.imaging.io import read_sidecar, read_volume
from counterwarp.imaging.resample import blur
from counterwarp.imaging.ventricles import connected_fluid
from counterwarp.imaging.warp import Field, read_field

TISSUES = ("CSF", "GM", "WM")
# Regions that are followed through the scan's own fluid, on each side.
VENTRICLES = "lateral_ventricle"
COLUMNS = ("region", "tissue", "volume_ml", "native_mm3", "icv_ml")


def measure_scan(
    inverse: str,
    tissues: dict[str, str],
    transform: str,
    parcellation: str,
    table: str,
    template_mask: str,
    output: str,
) -> None:
    """Measure every region of one scan.

    Volumes are of the brain *after* its affine to the template, so they are already corrected for head size. An affine
    scales all volumes alike: divided by its determinant they are those of the scanner, and the template's brain is the
    intracranial volume (by the atlas scaling factor of Buckner 2004).

    Args:
        inverse: the field from template to scan.
        tissues: the probability images of GM, WM and CSF.
        transform: JSON with the WorldMatrix, scanner mm -> the template's mm.
        parcellation: labels on the template's grid.
        table: TSV of them with index, name and tissue (`labels_of` reads the index).
        template_mask: of the template's brain.
        output: TSV with the columns region, tissue, volume_ml and, in the scanner's space, native_mm3 and icv_ml;
            volumes are of the region's own tissue.
    """
    labels, brain = read_volume(parcellation), read_volume(template_mask)
    template_ml = float((brain.data > 0.5).sum() * np.prod(brain.voxel_mm) / 1000)
    with open(table, newline="") as file:
        regions = list(csv.DictReader(file, delimiter="\t"))
    images = {name: read_volume(tissues[name]) for name in TISSUES}
    grid = images["GM"]
    shares = {name: image.data for name, image in images.items()}
    shares["brain"] = shares["GM"] + shares["WM"]
    field = read_field(inverse).on(grid.shape, grid.affine)
    volumes = measure(labels.data, labels.affine, field, shares, regions)
    scale = abs(np.linalg.det(np.array(read_sidecar(transform)["WorldMatrix"])[:3, :3]))
    with open(output, "w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        for region, volume in zip(regions, volumes, strict=True):
            sizes = f"{volume:.4f}", f"{1000 * volume / scale:.1f}", f"{template_ml / scale:.2f}"
            writer.writerow([region["name"], region["tissue"], *sizes])


def measure(
    labels: np.ndarray, affine: np.ndarray, inverse: Field, tissues: dict[str, np.ndarray], regions: list[dict]
) -> list[float]:
    """Volume, in ml, of each region's own tissue in one scan.

    Each region's share of a voxel (0 to 1, linear) is carried to the scan and multiplied by the tissue's probability:
    small regions are not rounded to whole voxels. Of the lateral ventricles only the seed is carried
    (`ventricles.connected_fluid`).

    Args:
        labels, affine: the parcellation (x, y, z) and its voxel -> world; labels of no region are other fluid.
        inverse: from template to scan, on the scan's grid.
        tissues: probability of each tissue on that grid; `brain` is grey and white matter together.
        regions: index, name and tissue of each.
    """
    voxel_ml = abs(np.linalg.det(inverse.affine[:3, :3])) / 1000
    to_voxel = np.linalg.inv(affine)
    points = (inverse.sources() @ to_voxel[:3, :3].T + to_voxel[:3, 3]).reshape(-1, 3)

    def carried(region: np.ndarray) -> np.ndarray:
        where, share = region_share(region, points, to_voxel @ inverse.affine)
        whole = np.zeros(len(points), np.float32)
        whole[where] = share
        return whole.reshape(tissues["CSF"].shape)

    volumes = {}
    ventricles = [region for region in regions if region["name"].startswith(VENTRICLES)]
    if ventricles:
        known = [label for region in regions for label in labels_of(region["index"])]
        seeds = [carried(np.isin(labels, labels_of(region["index"]))) for region in ventricles]
        other = carried((labels > 0) & ~np.isin(labels, known)) > 0.5
        inside = sum(tissues[name] for name in TISSUES) > 0.5
        found = connected_fluid(tissues["CSF"], seeds, other, inside, voxel_sizes(inverse.affine))
        volumes = {region["name"]: fluid.sum() for region, fluid in zip(ventricles, found, strict=True)}
    for region in regions:
        if region["name"] not in volumes:
            where, share = region_share(np.isin(labels, labels_of(region["index"])), points, to_voxel @ inverse.affine)
            volumes[region["name"]] = (share * tissues[region["tissue"]].reshape(-1)[where]).sum()
    return [float(volumes[region["name"]] * voxel_ml) for region in regions]


def labels_of(index: str | int) -> list[int]:
    """The labels of a region: one, or with spaces between those of the regions that it is made of."""
    return [int(label) for label in str(index).split()]


def region_share(region: np.ndarray, points: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A region's share of the voxel at some points, linear, looked for only where the region is.

    Args:
        region: (x, y, z) bool.
        points: (n, 3), voxels of that grid.
        steps: 4 x 4, voxel of the points' grid -> voxel of the region's; where that is coarser the region is blurred.

    Returns:
        Numbers of the points where the share is not 0, and their shares.
    """
    if not region.any():
        return np.empty(0, int), np.empty(0)
    # A Gaussian reaches four of its sd, which is less than twice the ratio of the voxels.
    reach = 2 + int(2 * np.ceil(np.linalg.norm(steps[:3, :3], axis=1).max()))
    inside = [np.flatnonzero(region.any(tuple(other for other in range(3) if other != axis))) for axis in range(3)]
    low = np.array([place[0] for place in inside]) - reach
    high = np.array([place[-1] for place in inside]) + reach
    box = np.zeros(high - low + 1, np.float32)
    box[(slice(reach, -reach),) * 3] = region[tuple(slice(place[0], place[-1] + 1) for place in inside)]
    where = np.flatnonzero(((points > low) & (points < high)).all(1))
    return where, map_coordinates(blur(box, steps), (points[where] - low).T, order=1, mode="constant")
