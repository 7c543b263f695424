"""What each engine that takes off the skull is worth on people: Dice with a reference, volume, CPU seconds.

    python tests/bench/strip_engines.py HEADS REFERENCES ENGINE[:HEAD] [ENGINE[:HEAD] ...] [--subjects SUBJECT ...]

HEADS and REFERENCES hold SUBJECT*.nii.gz: T1-weighted whole heads, and label images on their grids of which what is
above 0, holes filled, is the brain. ENGINE is one of preprocess.strip.engine; HEAD (robex, simulated) is the template
that it looks for (robex).
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from counterwarp.cohorts.demo import write_head
from counterwarp.imaging.bias import correct_bias
from counterwarp.imaging.conform import conform
from counterwarp.imaging.io import as_volume, open_image, read_volume
from counterwarp.imaging.qc import dice
from counterwarp.imaging.resample import resample
from counterwarp.imaging.strip import largest_solid, strip
from counterwarp.resources import head_files


def cpu_seconds() -> float:
    """Of this process and the programs that it has started."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def one(scan: Path, labels: Path, engines: list[tuple[str, str]], folder: Path) -> list[dict]:
    """A row for each engine: subject, engine, dice, litres and true litres, cpu_s."""
    at = lambda name: str(folder / name)  # noqa: E731
    conform(str(scan), at("c.nii.gz"), at("c.json"), 100, "nibabel")
    correct_bias(at("c.nii.gz"), at("n4.nii.gz"), True)
    image, reference = read_volume(at("n4.nii.gz")), as_volume(open_image(labels))
    solid = largest_solid(reference.data > 0)
    true = resample(solid, reference.affine, image.shape, image.affine, order=0) > 0.5
    litres = float(np.prod(image.voxel_mm)) * 1e-6
    rows = []
    for engine, head in engines:
        files = head_files(head, {}, [at("../head.nii.gz"), at("../head_mask.nii.gz")])
        start = cpu_seconds()
        strip(at("n4.nii.gz"), at("m.nii.gz"), at("m.json"), engine, 1, 0.5, *files)
        cost = cpu_seconds() - start
        found = read_volume(at("m.nii.gz")).data > 0.5
        row = {"engine": f"{engine}:{head}", "dice": dice(found, true), "cpu_s": cost}
        rows.append(row | {"litres": found.sum() * litres, "true": true.sum() * litres})
        print(f"{scan.name} {engine}:{head} Dice {row['dice']:.3f}, {cost:.0f} CPU s", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heads", type=Path)
    parser.add_argument("references", type=Path)
    parser.add_argument("engines", nargs="+")
    parser.add_argument("--subjects", nargs="*")
    wanted = parser.parse_args()
    engines = [tuple(engine.split(":")) if ":" in engine else (engine, "robex") for engine in wanted.engines]
    rows = []
    with tempfile.TemporaryDirectory() as top:
        write_head(f"{top}/head.nii.gz", f"{top}/head_mask.nii.gz")
        for scan in sorted(wanted.heads.glob("*.nii.gz")):
            subject = scan.name.partition(".")[0].partition("-")[0]
            if wanted.subjects and subject not in wanted.subjects:
                continue
            folder = Path(top) / subject
            folder.mkdir()
            rows += one(scan, next(iter(sorted(wanted.references.glob(f"{subject}*.nii.gz")))), engines, folder)
    for engine, table in pd.DataFrame(rows).groupby("engine", sort=False):
        r = np.corrcoef(table["litres"], table["true"])[0, 1]
        print(
            f"{engine}: {len(table)} heads, Dice {table['dice'].mean():.3f} ({table['dice'].min():.3f} to "
            f"{table['dice'].max():.3f}), volume {table['litres'].sum() / table['true'].sum():.3f} of the reference, "
            f"r {r:.3f}, {table['cpu_s'].mean():.0f} CPU s"
        )


if __name__ == "__main__":
    main()
