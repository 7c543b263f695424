"""What each step of a scan costs in cohorts of several sizes, and the straight line through it.

    python tests/bench/cost_model.py [scans scans ...] [results/bench/cost_model.tsv]

Simulates, preprocesses and segments 8, 32 and 128 heads of the demo, warps them to the template and measures their
regions; trains nothing. The largest cohort has a core to itself. On another the smaller ones run again and again until
it ends, so that a machine whose speed changes does so for all of them. About 20 CPU s a scan of the largest, twice. The
CPU seconds are those that each job logs of itself, its start included, of a size the mean of its runs; the line of a
step is that of least squares through the sizes.
"""

import itertools
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow_scripts"))

from counterwarp.stats.cost import collect_costs

ROOT = Path(__file__).parents[2]
SIZES = (8, 32, 128)
EVERY_SCAN = ["prepare_scan", "strip", "register", "normalise", "qc"]
BASELINE_SCAN = ["syn", "segment", "measure_regions"]


def run(scans: int) -> pd.DataFrame:
    """The costs of a cohort by rule (`collect_costs`), with the number of its scans."""
    with tempfile.TemporaryDirectory(prefix="counterwarp-cost-") as name:
        folder = Path(name)
        demo = {"controls": scans // 2, "patients": scans - scans // 2, "two_sessions": 0}
        # Of the smallest cohort too few subjects are in the test split for what is not run here.
        study = {"experiment": "cost", "cohort": {"demo": demo}, "group": {"split": "all"}}
        (folder / "study.yaml").write_text(yaml.safe_dump(study))
        command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
        # As in the Makefile, which says why.
        command += ["--cores", "1", "--scheduler", "greedy"]
        command += ["--configfile", folder / "study.yaml", "--", "preprocess", "roi"]
        done = subprocess.run(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_ET": "1"},
        )
        if done.returncode:
            sys.exit(done.stdout[-3000:])
        return collect_costs(folder / "results/cost/logs").assign(scans=scans)


def lines(costs: pd.DataFrame) -> pd.DataFrame:
    """Of each step that cohorts of every size have run: CPU seconds = fixed_s + slope_s * scans, and how far off it is.

    Returns:
        rule, fixed_s, slope_s, largest_residual_percent (of the CPU seconds measured; of two sizes it is 0), highest
        peak_mb; dearest first.
    """
    rows = []
    for rule, of_rule in costs.groupby("rule"):
        if of_rule["scans"].nunique() < 2:
            continue
        slope, fixed = np.polyfit(of_rule["scans"], of_rule["cpu_s"], 1)
        residual = (fixed + slope * of_rule["scans"]) / of_rule["cpu_s"] - 1
        rows.append((rule, fixed, slope, 100 * residual.abs().max(), of_rule["peak_mb"].max()))
    table = pd.DataFrame(rows, columns=["rule", "fixed_s", "slope_s", "largest_residual_percent", "peak_mb"])
    return table.sort_values("slope_s", ascending=False, ignore_index=True)


def run_together(sizes: list[int], table: Path) -> pd.DataFrame:
    """The costs of the largest cohort, and of the smaller ones as often as they began while it ran.

    The column run numbers the runs. What has ended is in the table at once: the largest takes an hour.
    """
    *smaller, largest = sorted(sizes)
    with ThreadPoolExecutor() as pool:
        beside = pool.submit(run, largest)
        costs = []
        for scans in itertools.cycle(smaller):
            costs.append(run(scans).assign(run=len(costs)))
            pd.concat(costs).to_csv(table, sep="\t", index=False)
            print(f"{scans} scans: {costs[-1]['cpu_s'].sum() / scans:.1f} CPU s a scan", flush=True)
            if beside.done():
                break
        costs.append(beside.result().assign(run=len(costs)))
    runs = pd.concat(costs, ignore_index=True)
    runs.to_csv(table, sep="\t", index=False)
    return runs


def report(runs: pd.DataFrame) -> None:
    """Print what a scan costs by rule and by size, the means of the runs, and the lines."""
    counted = runs.groupby("scans")["run"].nunique()
    print("\nRuns of each size:", ", ".join(f"{number} of {scans}" for scans, number in counted.items()))
    costs = runs.groupby(["rule", "scans"], as_index=False).agg({"cpu_s": "mean", "peak_mb": "max"})
    a_scan = costs.assign(cpu_s=costs["cpu_s"] / costs["scans"]).pivot(index="rule", columns="scans", values="cpu_s")
    a_scan.loc["every scan"] = a_scan.loc[EVERY_SCAN].sum()
    a_scan.loc["every baseline scan, besides"] = a_scan.loc[BASELINE_SCAN].sum()
    a_scan.loc["both"] = a_scan.loc[EVERY_SCAN + BASELINE_SCAN].sum()
    print(f"CPU seconds a scan, by the size of the cohort\n{a_scan.to_string(float_format='%.2f')}")
    print(lines(costs).to_string(index=False, float_format="%.2f"))


def main(sizes: list[int], table: Path) -> None:
    if min(sizes) < min(SIZES):
        sys.exit(f"a cohort of {min(sizes)} scans cannot be split for a training: ask for {min(SIZES)} or more")
    table.parent.mkdir(parents=True, exist_ok=True)
    report(run_together(sizes, table))


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    tables = [argument for argument in sys.argv[1:] if not argument.isdigit()]
    main(given or list(SIZES), Path(tables[0] if tables else "results/bench/cost_model.tsv"))
