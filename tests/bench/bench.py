"""Print what the demo reached beside its goals, and where its time went.

Usage: python tests/bench/bench.py [results/demo [results/bench/bench.tsv]]
"""

import sys
from datetime import datetime
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow_scripts"))

from counterwarp.stats.cost import collect_costs


def headline(results: Path) -> list[tuple[str, str, str, bool]]:
    """What was measured: name, value, goal, reached."""

    def read(name):
        return pd.read_csv(results / "tables" / f"{name}.tsv", sep="\t", dtype={"scan": str, "seed": str})

    qc = read("qc").query("state != 'failed'")
    rows = [
        ("failed scans", f"{len(read('failures'))}", "0", len(read("failures")) == 0),
        at_least("skull strip, median Dice", qc["mask_dice"].median(), 0.96),
        at_least("skull strip, lowest Dice", qc["mask_dice"].min(), 0.92),
        at_most("affine, mean landmark error, voxels", qc["landmark_error_voxels"].mean(), 1),
    ]
    scores = read("classifier").query("split == 'test' and metric == 'balanced_accuracy'")
    rows += [at_least(f"balanced accuracy, seed {row.seed}", row.value, 0.85) for row in scores.itertuples()]
    rows += methods_reached(read("methods"))
    regions = read("regions")
    for row in regions[regions["affected"] != 0].itertuples():
        reached = row.p < 0.01 and row.t * row.affected > 0
        sign = "positive" if row.affected > 0 else "negative"
        rows.append((f"GLM {row.region}", f"t = {row.t:.2f}, p = {row.p:.1e}", f"{sign}, p < 0.01", reached))
    quiet = regions[regions["affected"] == 0]
    lowest = quiet.loc[quiet["q"].idxmin()]
    found = f"{(quiet['q'] < 0.05).sum()} of {len(quiet)} (lowest q {lowest['q']:.2f}, {lowest['region']})"
    rows.append(("GLM, unaffected regions found", found, "0 at q < 0.05", bool((quiet["q"] >= 0.05).all())))
    return rows


def methods_reached(methods: pd.DataFrame) -> list[tuple[str, str, str, bool]]:
    """Of the maps averaged over the seeds where there are several; what is not of maps is the mean over the seeds."""
    averaged = methods[methods["seed"] == "mean"]
    measured = methods[methods["seed"] == "all"].set_index(["method", "level", "metric"])["mean"]
    measured.update(averaged.set_index(["method", "level", "metric"])["mean"])
    if len(averaged):
        each = methods[
            (methods["metric"] == "ncc") & (methods["level"] == "group") & ~methods["seed"].isin(["all", "mean"])
        ]
        for row in each.itertuples():
            print(f"seed {row.seed}: {row.method}, NCC of the group {row.mean:.3f}")
    rows = []
    for method in methods["method"].unique():
        if (method, "subject", "folding_percent") not in measured:
            continue
        median = measured[method, "subject", "ncc_median"]
        rows += [
            at_least(f"{method}, NCC of the group", measured[method, "group", "ncc"], 0.75),
            at_least(f"{method}, NCC of the median subject", median, 0.6),
            at_least(f"{method}, affected regions of right sign", measured[method, "group", "sign_correct"], 1),
            at_most(f"{method}, folding, % of the brain", measured[method, "subject", "folding_percent"], 0.1),
        ]
        if ("backprop", "subject", "ncc_median") in measured:
            signed = measured["backprop", "subject", "ncc_median"]
            best = max(signed, measured["backprop", "subject", "ncc_abs"])
            rows.append((f"{method} / gradients, NCC", f"{median:.3f} / {signed:.3f}", "twice", median >= 2 * signed))
            twice = "twice" if 2 * best <= 1 else f"twice: {2 * best:.2f}, no NCC is"
            rows.append(
                (f"{method} / gradients without sign, NCC", f"{median:.3f} / {best:.3f}", twice, median >= 2 * best)
            )
    return rows


def at_least(name: str, value: float, goal: float) -> tuple[str, str, str, bool]:
    return name, f"{value:.3f}", f">= {goal:g}", bool(value >= goal)


def at_most(name: str, value: float, goal: float) -> tuple[str, str, str, bool]:
    return name, f"{value:.4g}", f"<= {goal:g}", bool(value <= goal)


def wall_minutes(results: Path) -> float:
    """From the first line of any log to the last: the time of the run, if all was run at once."""
    times = []
    for log in (results / "logs").rglob("*.log"):
        for line in log.read_text(errors="replace").splitlines():
            try:
                times.append(datetime.strptime(line[:19], "%Y-%m-%d %H:%M:%S"))
            except ValueError:
                continue
    return (max(times) - min(times)).total_seconds() / 60 if times else float("nan")


def main(results: Path, table: Path) -> None:
    for name, value, goal, reached in headline(results):
        print(f"{name:42} {value:38} {goal:22} {'reached' if reached else 'NOT REACHED'}")
    costs = collect_costs(results / "logs")
    minutes, peak = wall_minutes(results), costs["peak_mb"].max() / 1024
    print(
        f"\n{'wall time, first log line to last, min':42} {minutes:<38.1f} {'<= 20':22} "
        f"{'reached' if minutes <= 20 else 'NOT REACHED'}"
    )
    print(f"{'largest job, GB':42} {peak:<38.2f} {'<= 6':22} {'reached' if peak <= 6 else 'NOT REACHED'}")
    total = costs["cpu_s"].sum()
    print(f"\nCPU seconds by rule, {total:.0f} in all")
    for row in costs.itertuples():
        share = 100 * row.cpu_s / total
        print(f"  {row.rule:24} {row.jobs:5d} jobs {row.cpu_s:9.1f} s {share:6.1f} %  {row.peak_mb:7.0f} MB")
    table.parent.mkdir(parents=True, exist_ok=True)
    costs = costs.rename(columns={"rule": "name"}).assign(variant=results.name, ratio=costs["cpu_s"] / total)
    costs[["name", "variant", "cpu_s", "wall_s", "peak_mb", "ratio"]].to_csv(table, sep="\t", index=False)
    print(f"\nwritten: {table}")


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*(given + [Path("results/demo"), Path("results/bench/bench.tsv")][len(given) :]))
