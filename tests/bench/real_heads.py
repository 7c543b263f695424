"""How right the first links of the chain are on people: a finished study against reference segmentations.

    python tests/bench/real_heads.py results/STUDY REFERENCES [SUBJECT ...]

STUDY has been run up to the target `roi`. REFERENCES holds one label image a subject, in the scanner's space, named
SUBJECT*.nii.gz, with the labels of MUSE (DLMUSE). Prints a line a subject, then, over subjects: brain masks, and for
each region the correlation of its volume with the reference, the ratio of the means, and the median absolute error in
per cent. Volumes are the scanner's (native_mm3).
"""

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from counterwarp.imaging.qc import dice
from counterwarp.imaging.resample import resample
from counterwarp.imaging.strip import largest_solid

# Of MUSE: the labels of each region, right and left.
MUSE = {
    "lateral_ventricle": (51, 52),
    "hippocampus": (47, 48),
    "amygdala": (31, 32),
    "thalamus": (59, 60),
    "caudate": (36, 37),
    "putamen": (57, 58),
    "pallidum": (55, 56),
    "cerebellum": (38, 39),
    "entorhinal": (116, 117),
    "precuneus": (168, 169),
    "parahippocampal": (170, 171),
}
WHITE = (*range(81, 96), 40, 41, 35, 61, 62, 69)
FLUID = (4, 11, 46, 49, 50, 51, 52)


def reference(path: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Labels, their affine and the volume of a voxel, ml."""
    image = nib.load(path)
    return np.round(image.get_fdata()), image.affine, float(abs(np.linalg.det(image.affine[:3, :3])) / 1000)


def reference_volumes(labels: np.ndarray, voxel_ml: float) -> dict[str, float]:
    """ml of each region, both sides, of grey and white matter and of the brain."""
    found = {name: float(np.isin(labels, both).sum() * voxel_ml) for name, both in MUSE.items()}
    white = np.isin(labels, WHITE)
    grey = (labels > 0) & ~white & ~np.isin(labels, FLUID)
    tissues = {"white matter": white, "grey matter": grey, "grey and white matter": white | grey}
    return found | {name: float(mask.sum() * voxel_ml) for name, mask in tissues.items()}


def own_volumes(study: Path, subject: str, regions: pd.DataFrame) -> dict[str, float]:
    """The same of the study, ml in the scanner's space."""
    rows = regions[regions["subject"] == subject]
    by_name = rows.groupby(rows["region"].str.replace("_[LR]$", "", regex=True))["native_mm3"].sum() / 1000
    folder = study / f"derivatives/sub-{subject}/anat"
    world = np.loadtxt(next(folder.glob("*_desc-world_xfm.txt")))
    tissues = {}
    for name, tissue in (("grey matter", "GM"), ("white matter", "WM")):
        image = nib.load(next(folder.glob(f"*_label-{tissue}_probseg.nii.gz")))
        voxel_ml = abs(np.linalg.det(image.affine[:3, :3])) / 1000
        tissues[name] = float(image.get_fdata().sum() * voxel_ml / np.linalg.det(world[:3, :3]))
    return dict(by_name) | tissues | {"grey and white matter": sum(tissues.values())}


def main(study: Path, references: Path, subjects: list[str]) -> None:
    regions = pd.read_csv(study / "roi/volumes.tsv", sep="\t", dtype={"subject": str})
    subjects = subjects or sorted(regions["subject"].unique())
    masks, own, others = [], [], []
    for subject in subjects:
        labels, affine, voxel_ml = reference(next(iter(sorted(references.glob(f"{subject}*.nii.gz")))))
        mask = nib.load(study / f"derivatives/sub-{subject}/anat/sub-{subject}_desc-brain_mask.nii.gz")
        true = resample(largest_solid(labels > 0), affine, mask.shape, mask.affine, order=0) > 0.5
        found = np.asarray(mask.dataobj) > 0
        masks.append({"dice": dice(found, true), "litres": found.sum(), "true": true.sum()})
        own.append(own_volumes(study, subject, regions))
        others.append(reference_volumes(labels, voxel_ml))
        ventricles = f"{own[-1]['lateral_ventricle']:.1f} ml, reference {others[-1]['lateral_ventricle']:.1f} ml"
        print(f"{subject}: mask Dice {masks[-1]['dice']:.3f}; lateral ventricles {ventricles}")
    table = pd.DataFrame(masks)
    together = np.corrcoef(table["litres"], table["true"])[0, 1]
    print(
        f"mask: Dice {table['dice'].mean():.3f}, least {table['dice'].min():.3f}; volume "
        f"{table['litres'].sum() / table['true'].sum():.3f} of the reference, r {together:.3f}; {len(table)} heads"
    )
    own, others = pd.DataFrame(own), pd.DataFrame(others)
    for name in others:
        if name in own:
            error = (own[name] / others[name] - 1).abs().median()
            r = np.corrcoef(own[name], others[name])[0, 1]
            means = f"mean {own[name].mean():.1f} ml, reference {others[name].mean():.1f} ml"
            print(f"{name}: r {r:.2f}, {means}, median error {error:.0%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
