"""How the default recipe does on cohorts of real scans with a planted disease: one row a cohort and method.

    python tests/bench/panel.py PEOPLE FOLDER [COHORT ...]

PEOPLE is a BIDS dataset of T1-weighted scans, FOLDER where the runs lie (each goes on where it stopped), COHORT a name
in panel.yaml beside this file; without, all run, one after the other.
"""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[2]
COHORTS = yaml.safe_load(Path(__file__).with_name("panel.yaml").read_text())
TABLES = ("verdict", "baselines", "methods", "regions", "voxelwise", "failures")


def run(name: str, people: Path, folder: Path) -> Path:
    """Run one cohort with default settings; the folder of its tables."""
    folder.mkdir(parents=True, exist_ok=True)
    cohort = COHORTS[name]["cohort"] | {"source": "bids", "path": str(people.resolve())}
    labels = pd.read_csv(people / "participants.tsv", sep="\t", dtype=str)["group"].unique()
    # Whatever the groups are called: no scan is taken for its group.
    cohort["labels"] = {label: ("control", "patient")[i % 2] for i, label in enumerate([*labels, "nobody"])}
    overlay = folder / f"{name}.yaml"
    overlay.write_text(yaml.safe_dump({"experiment": name, "cohort": cohort}))
    tables = folder / f"results/{name}/tables"
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder, "--quiet"]
    command += ["rules", "--cores", "2", "--keep-going", "--scheduler", "greedy", "--configfile", overlay, "--"]
    command += [f"results/{name}/tables/{table}.tsv" for table in TABLES]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with open(folder / f"{name}.log", "a") as log:
        subprocess.run(list(map(str, command)), stdout=log, stderr=log, env=os.environ | {"PATH": path}, check=True)
    return tables


def row(name: str, tables: Path) -> dict[str, object]:
    """What a cohort gave."""
    found = {table: pd.read_csv(tables / f"{table}.tsv", sep="\t") for table in TABLES}
    network = found["verdict"].iloc[-1]
    areas = found["baselines"].query("metric == 'auc'").set_index("model")["value"]
    methods = found["methods"].astype({"seed": str}).query("method == 'cycle' and metric in ('ncc', 'ncc_median')")
    methods = methods[methods["seed"] == ("mean" if "mean" in set(methods["seed"]) else methods["seed"].iloc[0])]
    ncc = methods.set_index(["level", "metric"])["mean"]
    regions = found["regions"]
    planted = regions[regions["affected"] != 0]
    others = regions[regions["affected"] == 0]
    return {
        "cohort": name,
        "role": COHORTS[name]["role"],
        "auc": f"{network['auc']:.2f} [{network['low']:.2f}, {network['high']:.2f}]",
        "auc_pca": round(areas.get("image", float("nan")), 2),
        "told_apart": network["tells_apart"],
        "cycle_group_ncc": round(ncc.get(("group", "ncc"), float("nan")), 2),
        "cycle_subject_ncc": round(ncc.get(("subject", "ncc_median"), float("nan")), 2),
        "tbm_group_ncc": round(found["voxelwise"].set_index("analysis")["ncc"].get("tbm", float("nan")), 2),
        "regions_found": f"{((planted['q'] < 0.05) & (planted['t'] * planted['affected'] > 0)).sum()}/{len(planted)}",
        "others_found": f"{(others['q'] < 0.05).sum()}/{len(others)}",
        "failed": len(found["failures"]),
    }


def main(people: Path, folder: Path, names: list[str]) -> None:
    rows = []
    for name in names or COHORTS:
        rows.append(row(name, run(name, people, folder)))
        print(pd.DataFrame(rows).to_string(index=False), flush=True)
    pd.DataFrame(rows).to_csv(folder / "panel.tsv", sep="\t", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
