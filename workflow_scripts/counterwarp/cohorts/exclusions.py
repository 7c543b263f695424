"""Who is not used, and why: what the table of the cohort left out, what failed, and what quality control doubts."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import pandas as pd

from counterwarp.cohorts.reading import read_text_table
from counterwarp.errors import ConfigError

COLUMNS = ("scan", "used", "step", "reason")


def exclusions(
    left_out: pd.DataFrame,
    flags: dict[str, list[str]],
    failures: Iterable[dict],
    unusable: Collection[str],
    listed: dict[str, str],
    exclude: str,
) -> pd.DataFrame:
    """One row for each reason why a subject, session or scan is out or in doubt.

    Args:
        left_out: scan and reason, of those that the table of scans left out. Of a scan with several images these may
            be the others.
        flags: of each scan that was judged, what quality control doubts.
        failures: `scan`, `rule` and `reason` of each step that failed.
        unusable: scans that failed before the networks could see them.
        listed: scan -> reason, of those that the user lists.
        exclude: none, listed or flagged: which of these are not used.

    Returns:
        scan, used (no; partly, by networks but not by a later step, which failed; or yes, for a flagged scan that is
        used all the same), step, reason.
    """
    reasons = {(failure["scan"], failure["rule"]): failure["reason"] for failure in failures}
    rows = [(scan, "no" if scan in unusable else "partly", rule, reason) for (scan, rule), reason in reasons.items()]
    if exclude == "listed":
        rows += [(scan, "no", "list", reason) for scan, reason in listed.items()]
    used = "no" if exclude == "flagged" else "yes"
    in_list = listed if exclude == "listed" else {}
    rows += [(scan, used, "qc", "; ".join(doubts)) for scan, doubts in flags.items() if doubts and scan not in in_list]
    table = pd.DataFrame(rows, columns=COLUMNS)
    # What is least true of a scan holds in all its rows, and comes first in the alphabet.
    table["used"] = table.groupby("scan")["used"].transform("min")
    table = pd.concat([left_out.assign(used="no", step="cohort")[list(COLUMNS)], table])
    return table.sort_values(["used", "scan"], kind="stable")


def read_listed(path: str | Path, scans: Iterable[str]) -> dict[str, str]:
    """The scans that a user lists as not to be used, with the reason given.

    Args:
        path: TSV or CSV with a column `scan` and perhaps a column `reason`.
        scans: all that there are.

    Raises:
        ConfigError: no such table, no such column, or a scan that is not there.
    """
    table = read_text_table(Path(path), "set qc.listed to one with a column scan")
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
