"""How often quality control flags good and bad preprocessing: faults of known size in masks and maps of real scans.

    python tests/bench/quality.py PART HEADS BRAINS WORK [TEMPLATE_MM]

PART is tuned (the scans on which the limits were set) or reported (others). HEADS has of each head <name>_n4.nii.gz
(bias-corrected, 2 mm), <name>_refmask.nii.gz (reference) and <name>_db256.nii.gz (a good mask); BRAINS is a BIDS folder
of scans without skull. WORK keeps registrations and the table of all cases, so that a second run takes minutes.

A case is bad where the mask's Dice with the reference is below 0.9 or the map is more than 4 mm off that of the good
mask (mean over the template's brain). Of the bad masks some are registered again, as happens in a study; the others
keep the good map. Maps that the step `register` itself refuses are counted apart.
"""

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow_scripts"))

from counterwarp.errors import ScanError
from counterwarp.imaging.atlas import mni152
from counterwarp.imaging.io import Volume, read_volume
from counterwarp.imaging.qc import dice, flags, grade, landmark_error, litres, touching_share
from counterwarp.imaging.refine import Ground, fit
from counterwarp.imaging.register import STAGES, check_plausible, estimate
from counterwarp.imaging.strip import largest_solid
from counterwarp.imaging.surface import surface

PEOPLE = {"tuned": ("012", "013", "014", "015", "033"), "reported": ("034", "039", "048", "049", "051")}
# IXI: as scanned; OLD: the same person with enlarged ventricles.
STATES = ("IXI", "OLD")
SUBJECTS = {"tuned": range(1, 37), "reported": range(37, 73)}
# Of the scans without skull, every fourth gets faults; all are judged as they are.
EVERY = 4
LOWEST_DICE, MOST_MM = 0.9, 4.0
# Registrations are made at this resolution whatever that of the judgement.
TEMPLATE_MM, SEED = 2.0, 1

Faults = list[tuple[str, float, np.ndarray]]


def bad_masks(scan: Volume, good: np.ndarray, rng: np.random.Generator, stripped: bool) -> Faults:
    """Kind, size (mm, or a share of the brain) and mask."""
    edge = scan.voxel_mm
    height = np.where(good, -distance_transform_edt(good, sampling=edge), distance_transform_edt(~good, sampling=edge))
    grid = np.stack(np.meshgrid(*map(np.arange, scan.shape), indexing="ij"), -1)
    at = grid @ scan.affine[:3, :3].T + scan.affine[:3, 3]
    brain = at[good]
    centre = brain.mean(0)
    found = [("shrunk", mm, height <= -mm) for mm in rng.permutation([4, 6, 8, 12])[:2]]
    sides = {"front": (1, 1), "back": (1, -1), "side": (0, rng.choice([-1, 1])), "top": (2, 1), "bottom": (2, -1)}
    for side, (axis, sign) in sides.items():
        if stripped and rng.random() < 0.5:
            continue
        share = rng.uniform(0.1, 0.4)
        end = np.quantile(brain[:, axis] * sign, 1 - share)
        found.append((f"{side} cut off", share, good & (at[..., axis] * sign < end)))
    below = (at - centre) @ np.array([0, -1, -1]) / np.sqrt(2)
    share = rng.uniform(0.08, 0.25)
    found.append(("lower back cut off", share, good & (below < np.quantile(below[good], 1 - share))))
    rim = at[(height <= 0) & (height > -2.5)]
    spot, radius = rim[rng.integers(len(rim))], rng.uniform(25, 55)
    found.append(("hole at the surface", radius, good & (np.linalg.norm(at - spot, axis=-1) > radius)))
    if stripped:
        return found
    found += [("grown", mm, height <= mm) for mm in rng.permutation([4, 6, 8, 12])[:3]]
    bright = scan.data > 0.35 * np.median(scan.data[good])
    extras = {
        "face": (0, 1, -1),
        "neck": (0, 0, -1),
        "skull at one side": (rng.choice([-1, 1]), 0, 0.3),
        "scalp at the top": (0, 0, 1),
        "scalp at the back": (0, -1, 0.3),
    }
    for kind, direction in extras.items():
        reach = rng.uniform(15, 40)
        there = (at - centre) @ (np.array(direction) / np.linalg.norm(direction))
        more = (height <= reach) & (there > np.quantile(there[good], 0.75)) & bright
        found.append((kind, reach, largest_solid(good | more)))
    for _ in range(2):
        spot, radius = rim[rng.integers(len(rim))], rng.uniform(20, 50)
        found.append(("ball added", radius, good | (np.linalg.norm(at - spot, axis=-1) < radius)))
    for _ in range(2):
        way = rng.normal(size=3)
        way *= rng.uniform(6, 20) / np.linalg.norm(way)
        voxels = np.rint(way / edge).astype(int)
        found.append(("shifted", float(np.linalg.norm(voxels * edge)), np.roll(good, voxels, (0, 1, 2))))
    sd = rng.uniform(5, 10)
    found.append(("smooth and too large", sd, gaussian_filter(good.astype(np.float32), sd / edge) > 0.2))
    found.append(("all that is bright", 0, largest_solid(bright & (height < 60))))
    away = np.linalg.norm((at - centre) / [1, 1.25, 1], axis=-1)
    return [*found, ("ellipsoid", 0, away < np.quantile(away[good], 0.9))]


def bad_maps(good: np.ndarray, centre: np.ndarray, rng: np.random.Generator, many: bool) -> Faults:
    """Kind, size (degrees, mm or per cent) and map: the good one, then a fault about the centre of the template."""

    def about(linear: np.ndarray, shift=(0.0, 0.0, 0.0)) -> np.ndarray:
        fault = np.eye(4)
        fault[:3, :3], fault[:3, 3] = linear, centre - linear @ centre + shift
        return fault @ good

    def unit() -> np.ndarray:
        way = rng.normal(size=3)
        return way / np.linalg.norm(way)

    def some(values: list, most: int) -> np.ndarray:
        return rng.permutation(values)[: most if many else max(most // 2, 1)]

    found = [
        ("turned", degrees, about(Rotation.from_rotvec(np.radians(degrees) * unit()).as_matrix()))
        for degrees in some([4, 6, 8, 12, 20, 30, 40], 4)
    ]
    found += [("moved", mm, about(np.eye(3), mm * unit())) for mm in some([4, 6, 8, 12, 16, 20], 4)]
    found += [
        ("scaled", percent, about(np.eye(3) * (1 + percent / 100)))
        for percent in some([-25, -15, -10, -7, 7, 10, 15, 25], 3)
    ]
    for percent in some([-25, -15, -10, 10, 15, 25], 3):
        linear = np.eye(3)
        axis = rng.integers(3)
        linear[axis, axis] += percent / 100
        found.append(("stretched", percent, about(linear)))
    for percent in some([10, 20, 30], 2):
        linear = np.eye(3)
        linear[tuple(rng.permutation(3)[:2])] = percent / 100
        found.append(("sheared", percent, about(linear)))
    for axis in range(3) if many else rng.permutation(3)[:1]:
        found.append(("half a turn", 180, about(Rotation.from_rotvec(np.pi * np.eye(3)[axis]).as_matrix())))
    return found


def scans(part: str, heads: Path, brains: Path) -> Iterator[tuple[str, Volume, np.ndarray, np.ndarray]]:
    """Name, scan, reference and good mask of each."""
    for person in PEOPLE[part]:
        for name in (state + person for state in STATES):
            scan, reference, good = (
                read_volume(heads / f"{name}_{kind}.nii.gz") for kind in ("n4", "refmask", "db256")
            )
            yield name, scan, reference.data > 0.5, good.data > 0.5
    for number in SUBJECTS[part]:
        name = f"sub-{number:02d}"
        scan = read_volume(brains / name / "anat" / f"{name}_T1w.nii.gz")
        yield name, scan, scan.data > 0, scan.data > 0


def registered(path: Path, template: Volume, scan: Volume, mask: np.ndarray) -> np.ndarray:
    """The map from the scan's brain to the template, scanner mm -> the template's mm; kept in a file."""
    if not path.exists():
        back, _ = estimate(template, Volume(scan.data * mask, scan.affine), STAGES[12], SEED)
        np.savetxt(path, np.linalg.inv(back))
    return np.loadtxt(path)


def refused(world: np.ndarray) -> bool:
    try:
        check_plausible(world, "")
    except ScanError:
        return True
    return False


def judge(part: str, heads: Path, brains: Path, work: Path, template_mm: float) -> pd.DataFrame:
    """One row a case."""
    atlas = mni152(TEMPLATE_MM)
    template = Volume(atlas.brain, atlas.affine)
    landmarks = np.argwhere(atlas.mask)[::50] @ atlas.affine[:3, :3].T + atlas.affine[:3, 3]
    judged_on = mni152(template_mm)
    ground = Ground(Volume(judged_on.brain, judged_on.affine), judged_on.mask)
    rows = []
    for name, scan, reference, good in scans(part, heads, brains):
        stripped = name.startswith("sub")
        chance = zlib.crc32(name.encode())
        rng = np.random.default_rng(chance)
        world = registered(work / f"{name}_good.txt", template, scan, good)
        cases = [("good", "", 0, good, world)]
        if not stripped or int(name[4:]) % EVERY == 0:
            for number, (kind, size, mask) in enumerate(bad_masks(scan, good, rng, stripped)):
                cases.append(("mask", kind, size, mask, world))
                path = work / f"{name}_{number}.txt"
                if number % 7 == chance % 7:
                    cases.append(("mask, registered", kind, size, mask, registered(path, template, scan, mask)))
            maps = bad_maps(world, landmarks.mean(0), rng, not stripped)
            cases += [("map", kind, size, good, fault) for kind, size, fault in maps]
        known = {}
        for group, kind, size, mask, fault in cases:
            if id(mask) not in known:
                known[id(mask)] = surface(scan, mask) | {
                    "mask_litres": litres(mask, scan.affine),
                    "touching_share": touching_share(mask),
                    "dice": dice(mask, reference),
                }
            numbers = known[id(mask)] | fit(ground, scan, mask, fault)
            found = flags(numbers, [])
            rows.append(
                {"scan": name, "group": group, "kind": kind, "size": float(size), "refused": refused(fault)}
                | {"mm": landmark_error(fault, world, landmarks), "flags": "; ".join(found)}
                | {"grade": grade(numbers, found)}
                | numbers
            )
        print(name, len(cases), file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> str:
    """Counts by the group and the kind of fault."""
    table = table.assign(
        kept=np.where(table["scan"].str.startswith("sub"), "brain", "head"),
        truth=np.where((table["dice"] < LOWEST_DICE) | (table["mm"] > MOST_MM), "bad", "within"),
        flagged=table["grade"] != "good",
    )
    table.loc[table["group"] == "good", "truth"] = "good"
    lines = []
    for refused, part in table.groupby("refused"):
        lines.append("refused by register as well" if refused else "not refused by register")
        for keys in (["truth", "kept"], ["truth", "group"], ["truth", "group", "kind"]):
            counts = part.groupby(keys).agg(
                cases=("flagged", "size"),
                flagged=("flagged", "sum"),
                bad=("grade", lambda grade: (grade == "bad").sum()),
            )
            lines += [counts.assign(share=(counts["flagged"] / counts["cases"]).round(3)).to_string(), ""]
    bad = table[(table["truth"] == "bad") & ~table["refused"] & ~table["flagged"]]
    columns = ["scan", "group", "kind", "size", "dice", "mm"]
    lines += ["bad and not flagged:", bad[columns].round(3).to_string(index=False)]
    good = table[(table["truth"] == "good") & table["flagged"]]
    return "\n".join([*lines, "", "good and flagged:", good[["scan", "grade", "flags"]].to_string(index=False)])


def main(part: str, heads: str, brains: str, work: str, template_mm: str = "2") -> None:
    folder = Path(work)
    folder.mkdir(parents=True, exist_ok=True)
    table = judge(part, Path(heads), Path(brains), folder, float(template_mm))
    table.to_csv(folder / f"{part}_{template_mm}mm.tsv", sep="\t", index=False)
    print(summary(table))


if __name__ == "__main__":
    main(*sys.argv[1:])
