"""What a run cost, from the last line of each job's log."""

import json
from pathlib import Path

import pandas as pd

COST, SPEED = "cost {", "speed {"


def collect_costs(folder: str | Path) -> pd.DataFrame:
    """Add up the logs below a folder, rule by rule, the dearest first.

    Args:
        folder: the logs of one experiment. A job that was taken from the cache has none.

    Returns:
        rule, jobs, cpu_s (in all), wall_s (in all), longest_s (wall of the longest job), peak_mb (of the largest job),
        places (hosts, each with its partition where it is of a cluster).
    """
    table = pd.DataFrame(_last_lines(folder, COST), columns=["rule", "cpu_s", "wall_s", "peak_mb", "place"])
    total = table.groupby("rule").agg(
        jobs=("cpu_s", "size"),
        cpu_s=("cpu_s", "sum"),
        wall_s=("wall_s", "sum"),
        longest_s=("wall_s", "max"),
        peak_mb=("peak_mb", "max"),
        places=("place", lambda places: ", ".join(sorted(places.dropna().unique()))),
    )
    return total.reset_index().sort_values("cpu_s", ascending=False, ignore_index=True)


def collect_speeds(folder: str | Path) -> pd.DataFrame:
    """How long each method took to explain a scan, from the logs below a folder.

    Returns:
        method, seed, scans, ms_per_scan; the fastest first.
    """
    table = pd.DataFrame(_last_lines(folder, SPEED), columns=["method", "seed", "scans", "seconds"])
    table["ms_per_scan"] = (1000 * table.pop("seconds") / table["scans"]).astype(float).round(2)
    return table.sort_values("ms_per_scan", ignore_index=True)


def _last_lines(folder: str | Path, mark: str) -> list[dict]:
    """Of each log, what the last line with a mark says."""
    found = []
    for log in sorted(Path(folder).rglob("*.log")):
        lines = [line for line in log.read_text(errors="replace").splitlines() if mark in line]
        if lines:
            found.append(json.loads(lines[-1][lines[-1].index(mark) + len(mark) - 1 :]))
    return found
