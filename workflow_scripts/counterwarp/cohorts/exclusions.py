"""Who is not used, and why: what the table of the cohort left out, what failed, and what quality control doubts."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from counterwarp.cohorts.reading import read_text_table
from counterwarp.errors import ConfigError

COLUMNS = ("scan", "used", "step", "reason")


def exclusions(
    left_out: pd.DataFrame, flags: dict[str, list[str]], failed: dict[str, dict], listed: dict[str, str], exclude: str
) -> pd.DataFrame:
    """One row for each subject, session or scan that is out or in doubt, and why.

    Args:
        left_out: scan and reason, of those that the table of scans left out.
        flags: of each scan that was judged, what quality control doubts.
        failed: of each scan that failed, its `rule` and `reason`.
        listed: scan -> reason, of those that the user lists.
        exclude: none, listed or flagged: which of these are not used.

    Returns:
        scan, used ("no", or "yes" for a flagged scan that is used all the same), step, reason.
    """
    rows = [(row.scan, "no", "cohort", row.reason) for row in left_out.itertuples()]
    rows += [(scan, "no", failure["rule"], failure["reason"]) for scan, failure in failed.items()]
    if exclude == "listed":
        rows += [(scan, "no", "list", reason) for scan, reason in listed.items()]
    used = "no" if exclude == "flagged" else "yes"
    in_list = listed if exclude == "listed" else {}
    rows += [(scan, used, "qc", "; ".join(doubts)) for scan, doubts in flags.items() if doubts and scan not in in_list]
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(["used", "scan"], kind="stable")


def read_listed(path: str | Path, scans: Iterable[str]) -> dict[str, str]:
    """The scans that a user lists as not to be used, with the reason given.

    Args:
        path: TSV or CSV with a column `scan` and perhaps a column `reason`.
        scans: all that there are.

    Raises:
        ConfigError: no such table, no such column, or a scan that is not there.
    """
    table = read_text_table(Path(path))
    if "scan" not in table:
        raise ConfigError([f"{path}: no column scan; list one scan a line below the header 'scan'"])
    unknown = sorted(set(table["scan"]) - set(scans))
    if unknown:
        raise ConfigError(
            [f"{path}: no scan {', '.join(map(repr, unknown))} in this cohort; write sub-X or sub-X_ses-Y"]
        )
    reasons = table["reason"] if "reason" in table else [f"listed in {path}"] * len(table)
    return dict(zip(table["scan"], reasons, strict=True))


def not_used(path: str | Path | Sequence) -> set[str]:
    """The scans that a table of `exclusions` takes out; none where there is no table."""
    if not path:
        return set()
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    return set(table.loc[table["used"] == "no", "scan"])
