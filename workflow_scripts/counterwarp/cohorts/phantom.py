"""The demo's standard head: MNI152 brain, CSF, skull, scalp, face and neck; regions of it; its disease.

The brain is the MNI152 2009 T1 with its grey and white matter that nilearn's wheel carries. Places are MNI mm (RAS).
"""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import binary_closing, binary_fill_holes, distance_transform_edt, gaussian_filter, label

from counterwarp.cohorts.deform import Grid, velocity_of

HEAD = Grid((106, 128, 116), 2.0, (-105.0, -142.0, -118.0))
# Tissue signals, as a share of white matter.
CSF, SKULL, SCALP, MUSCLE = 0.22, 0.08, 0.85, 0.45
# Thickness of the layers around the brain, mm.
CSF_MM, SKULL_MM, SCALP_MM = 4.0, 6.0, 6.0


@dataclass(frozen=True)
class Region:
    """A named region: a tissue inside a tube from one MNI point to another, on one side of the head."""

    name: str
    tissue: str
    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius_mm: float


# What the disease can change, on the right side; the left is its mirror image. Regions that are only measured are in
# `imaging.parcellation`, so that one more of them simulates no head again.
STRUCTURES = (
    Region("lateral_ventricle", "CSF", (13, 30, 4), (22, -46, 14), 18),
    Region("hippocampus", "GM", (24, -10, -20), (31, -36, -5), 7),
    Region("medial_temporal_cortex", "GM", (22, -2, -32), (24, -34, -18), 8),
)


@dataclass(frozen=True)
class Head:
    """The standard head on the grid HEAD: signal (white matter 1), brain mask, and tissue shares."""

    signal: np.ndarray
    brain: np.ndarray
    grey: np.ndarray
    white: np.ndarray


def mni152(name: str, voxel_mm: float) -> nib.Nifti1Image:
    """One of nilearn's MNI152 2009 images ("t1", "gm" or "wm", 0 to 1), averaged to a coarser voxel edge.

    The grid starts 2 mm outside the brain's box and has voxels of exactly `voxel_mm`; the axes are RAS.
    """
    folder = Path(importlib.util.find_spec("nilearn").submodule_search_locations[0]) / "datasets" / "data"
    image = nib.load(folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz")
    data = np.asarray(image.dataobj, np.float32) / 255
    return nib.Nifti1Image(data, image.affine) if voxel_mm == 1 else _coarser(data, image.affine, voxel_mm)


def _coarser(data: np.ndarray, affine: np.ndarray, voxel_mm: float) -> nib.Nifti1Image:
    """Box-averaged resampling: blur by the ratio of the voxel edges, then take the new voxel centres."""
    shape = tuple(int(np.floor(n / voxel_mm)) for n in data.shape)
    first = tuple(affine[:3, 3] + (voxel_mm - 1) / 2)
    fine = Grid(data.shape, 1.0, tuple(affine[:3, 3]))
    coarse = Grid(shape, voxel_mm, first)
    blurred = gaussian_filter(data, 0.35 * voxel_mm)
    return nib.Nifti1Image(fine.sample(blurred, coarse.points()).astype(np.float32), coarse.affine)


def _on_head(name: str) -> np.ndarray:
    image = mni152(name, HEAD.voxel_mm)
    grid = Grid(image.shape, HEAD.voxel_mm, tuple(image.affine[:3, 3]))
    return grid.sample(image.get_fdata(dtype=np.float32), HEAD.points(), outside="constant")


@cache
def head() -> Head:
    """The standard head."""
    t1, grey, white = (_on_head(name) for name in ("t1", "gm", "wm"))
    brain = binary_fill_holes(binary_closing(t1 > 0.1, iterations=2))
    t1 = t1 / np.median(t1[white > 0.9])
    away = distance_transform_edt(~brain, sampling=HEAD.voxel_mm)
    x, y, z = HEAD.points()
    skin = CSF_MM + SKULL_MM + SCALP_MM
    neck = ((x / 52) ** 2 + ((y + 32) / 62) ** 2 < 1) & (z < -45)
    face = (x / 62) ** 2 + ((y - 38) / 66) ** 2 + ((z + 55) / 62) ** 2 < 1
    body = neck | face
    deep = distance_transform_edt(body | (away <= skin), sampling=HEAD.voxel_mm)
    signal = np.zeros(HEAD.shape, np.float32)
    signal[body] = MUSCLE
    signal[(away > CSF_MM + SKULL_MM) & (away <= skin)] = SCALP
    signal[(body | (away <= skin)) & (deep <= SCALP_MM) & (away > CSF_MM + SKULL_MM)] = SCALP
    signal[away <= CSF_MM + SKULL_MM] = SKULL
    signal[away <= CSF_MM] = CSF
    signal = gaussian_filter(signal, 0.5)
    signal[brain] = np.maximum(t1[brain], CSF * 0.8)
    return Head(signal, brain, grey, white)


@cache
def draw(regions: tuple[Region, ...]) -> tuple[np.ndarray, list[dict]]:
    """Regions on the grid HEAD, on both sides; a voxel belongs to the first that holds it.

    Returns:
        labels: int array, 0 outside every region.
        table: one dict a region and side: index, name (with _L or _R), tissue, structure (the name without its side).
    """
    labels = np.zeros(HEAD.shape, np.int16)
    table = []
    for region in regions:
        for side, sign in (("L", -1), ("R", 1)):
            voxels = _voxels(region, sign) & (labels == 0)
            index = len(table) + 1
            labels[voxels] = index
            table.append(
                {
                    "index": index,
                    "name": f"{region.name}_{side}",
                    "tissue": region.tissue,
                    "structure": region.name,
                }
            )
    return labels, table


def _voxels(region: Region, sign: int) -> np.ndarray:
    standard = head()
    points = HEAD.points()
    start, end = (np.array(place) * [sign, 1, 1] for place in (region.start, region.end))
    along = end - start
    offset = points - start.reshape(3, 1, 1, 1)
    share = np.clip(np.tensordot(along, offset, 1) / (along @ along), 0, 1)
    away = np.linalg.norm(offset - along.reshape(3, 1, 1, 1) * share, axis=0)
    tube = (away < region.radius_mm) & (points[0] * sign > 1)
    if region.tissue == "GM":
        return tube & (standard.grey > 0.4)
    deep = distance_transform_edt(standard.brain, sampling=HEAD.voxel_mm) > 16
    fluid = tube & deep & (standard.grey + standard.white < 0.5)
    pieces, _ = label(fluid)
    return pieces == np.argmax(np.bincount(pieces.ravel())[1:]) + 1


@cache
def _disease_velocity(log_changes: tuple[tuple[str, float], ...], blur_mm: float = 3.0) -> np.ndarray:
    standard = head()
    labels, table = draw(STRUCTURES)
    changes = []
    for structure, change in log_changes:
        members = [row["index"] for row in table if row["structure"] == structure]
        if not members:
            known = sorted(region.name for region in STRUCTURES)
            raise ValueError(f"cohort.demo.regions: no structure {structure!r}; the demo has {', '.join(known)}")
        changes.append((np.isin(labels, members), change))
    return velocity_of(HEAD, standard.brain, changes, blur_mm, CSF_MM)


def disease_velocity(log_changes: dict[str, float]) -> np.ndarray:
    """Velocity, mm on the grid HEAD, whose flow over time s is the pull-back map of the disease at severity s.

    Its divergence is minus the log-change of volume asked for in each structure: a pull-back that samples a smaller
    piece of the source makes the tissue expand.

    Args:
        log_changes: structure -> log of the volume's change at severity 1, mean over the structure.

    Raises:
        ValueError: a structure that the demo does not have.
    """
    return _disease_velocity(tuple(sorted(log_changes.items())))
