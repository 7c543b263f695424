"""Quality control of every scan: its numbers in one table, its picture in the report."""

import textwrap
from pathlib import Path

import pandas as pd

STATES = ("failed", "flagged", "passed")
# Wide enough to judge a contour by, small enough that hundreds of scans fit into one report.
WIDTH = 1000


def qc_table(records: dict[str, dict], failed: dict[str, str]) -> pd.DataFrame:
    """One row a scan: failed ones first, then flagged ones, the bad ones of these before those to check.

    Args:
        records: scan -> its numbers; `grade` is good, check or bad, `flags` and `warnings` are lists of text.
        failed: scan -> the rule in which it failed.

    Returns:
        scan, state (failed, flagged, passed), grade and every number found in any record.
    """
    rows = [{"scan": scan, "state": "failed", "flags": f"failed in {rule}"} for scan, rule in failed.items()]
    for scan, record in records.items():
        values = {name: _joined(value) for name, value in record.items() if name != "scan"}
        rows.append({"scan": scan, "state": "flagged" if record.get("flags") else "passed", **values})
    table = pd.DataFrame(rows, columns=None if rows else ["scan", "state"])
    keys = {"order": table["state"].map(STATES.index), "worst": table.get("grade", "") != "bad"}
    return table.assign(**keys).sort_values([*keys, "scan"], ignore_index=True).drop(columns=list(keys))


def _joined(value):
    return "; ".join(map(str, value)) if isinstance(value, list) else value


def save_pictures(table: pd.DataFrame, pictures: dict[str, Path], folder: Path, most: int) -> None:
    """Copy the pictures of scans to folder/state/scan.jpg, smaller; a failed scan gets a card that says so.

    Args:
        table: of `qc_table`.
        pictures: scan -> PNG, of scans that did not fail.
        most: how many pictures of passed scans to copy; failed and flagged ones always are.
    """
    from PIL import Image

    for state in STATES:
        (folder / state).mkdir(parents=True)
    passed = 0
    for row in table.itertuples():
        target = folder / row.state / f"{row.scan}.jpg"
        if row.state == "failed":
            _save_card(f"{row.scan}: {row.flags}. See 1 Failures.", target)
            continue
        passed += row.state == "passed"
        if passed <= most or row.state == "flagged":
            with Image.open(pictures[row.scan]) as picture:
                picture = picture.convert("RGB")
                picture.thumbnail((WIDTH, 10 * WIDTH))
                picture.save(target, quality=75, optimize=True)


def _save_card(text: str, path: Path) -> None:
    from counterwarp.figures.style import figure

    card = figure(6, 2)
    card.text(0.5, 0.5, textwrap.fill(text, 70), ha="center", va="center")
    card.savefig(path)
