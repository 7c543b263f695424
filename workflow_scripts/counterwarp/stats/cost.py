"""What a run cost, from the last line of each job's log."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

COST, SPEED = "cost {", "speed {"
START = re.compile(r"^(\S+ \S+),\d+ INFO \w+ starts on ", re.MULTILINE)
DEVICE = re.compile(r" INFO networks run on (?:the )?(.+?) (?:\(|with )")


def collect_jobs(folder: str | Path) -> pd.DataFrame:
    """Each job that has a log below a folder, the dearest first.

    Args:
        folder: the logs of one experiment. A job that was taken from the cache has an empty one.

    Returns:
        job (name of its log: its rule, and the scan, or method and seed, that it is of), rule, place (host, with its
        partition where it is of a cluster), device (of networks; else empty), start (by the clock of the host), wall_s,
        cpu_s, peak_mb.
    """
    columns = ["job", "rule", "place", "device", "start", "wall_s", "cpu_s", "peak_mb"]
    jobs = []
    for log, text in _logs(folder):
        for cost in _last(text, COST):
            jobs.append(cost | {"job": log.stem, "device": _found(DEVICE, text), "start": _found(START, text)})
    return pd.DataFrame(jobs, columns=columns).sort_values("cpu_s", ascending=False, ignore_index=True, kind="stable")


def collect_costs(folder: str | Path) -> pd.DataFrame:
    """Add up the logs below a folder, rule by rule, the dearest first.

    Args:
        folder: as `collect_jobs`.

    Returns:
        rule, jobs, cpu_s (in all), wall_s (in all), longest_s (wall of the longest job), peak_mb (of the largest job),
        places (hosts, each with its partition where it is of a cluster).
    """
    total = (
        collect_jobs(folder)
        .groupby("rule")
        .agg(
            jobs=("cpu_s", "size"),
            cpu_s=("cpu_s", "sum"),
            wall_s=("wall_s", "sum"),
            longest_s=("wall_s", "max"),
            peak_mb=("peak_mb", "max"),
            places=("place", lambda places: ", ".join(sorted(places.dropna().unique()))),
        )
    )
    return total.reset_index().sort_values("cpu_s", ascending=False, ignore_index=True)


def collect_speeds(folder: str | Path) -> pd.DataFrame:
    """How long each method took to explain a scan, from the logs below a folder.

    Returns:
        method, seed, scans, ms_per_scan; the fastest first.
    """
    speeds = [speed for _, text in _logs(folder) for speed in _last(text, SPEED)]
    table = pd.DataFrame(speeds, columns=["method", "seed", "scans", "seconds"])
    table["ms_per_scan"] = (1000 * table.pop("seconds") / table["scans"]).astype(float).round(2)
    return table.sort_values("ms_per_scan", ignore_index=True)


def _logs(folder: str | Path) -> Iterator[tuple[Path, str]]:
    for log in sorted(Path(folder).rglob("*.log")):
        yield log, log.read_text(errors="replace")


def _last(text: str, mark: str) -> list[dict]:
    """What the last line with a mark says, or nothing where none has it."""
    lines = [line for line in text.splitlines() if mark in line]
    return [json.loads(line[line.index(mark) + len(mark) - 1 :]) for line in lines[-1:]]


def _found(pattern: re.Pattern, text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""
