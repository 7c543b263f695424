"""What a run cost, from the last line of each job's log."""

import json
from pathlib import Path

import pandas as pd

MARK = "cost {"


def collect_costs(folder: str | Path) -> pd.DataFrame:
    """Add up the logs below a folder, rule by rule, the dearest first.

    Args:
        folder: the logs of one experiment. A job that was taken from the cache has none.

    Returns:
        rule, jobs, cpu_s (in all), wall_s (in all), longest_s (wall of the longest job), peak_mb (of the largest job).
    """
    jobs = []
    for log in sorted(Path(folder).rglob("*.log")):
        lines = [line for line in log.read_text(errors="replace").splitlines() if MARK in line]
        if lines:
            jobs.append(json.loads(lines[-1][lines[-1].index(MARK) + len(MARK) - 1 :]))
    table = pd.DataFrame(jobs, columns=["rule", "cpu_s", "wall_s", "peak_mb"])
    total = table.groupby("rule").agg(
        jobs=("cpu_s", "size"),
        cpu_s=("cpu_s", "sum"),
        wall_s=("wall_s", "sum"),
        longest_s=("wall_s", "max"),
        peak_mb=("peak_mb", "max"),
    )
    return total.reset_index().sort_values("cpu_s", ascending=False, ignore_index=True)
