"""Where scans come from: the demo, a BIDS dataset, or a table of images."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from counterwarp.cohorts import table
from counterwarp.cohorts.participants import draw_participants
from counterwarp.errors import ConfigError

COLUMNS = ("subject", "session", "path", "group", "age", "sex")
# The table of a benchmark, whose images are drawn by the workflow.
NO_SCANS = pd.DataFrame(columns=["scan", "folder", *COLUMNS, "split", "baseline"])


def index(cohort: dict, bids_folder: str, covariates: Sequence[str] = ()) -> pd.DataFrame:
    """The validated table of scans of the configured source.

    Args:
        cohort: the section `cohort` of the configuration.
        bids_folder: where the demo's images are, or will be, simulated.
        covariates: columns that the regional model needs.

    Raises:
        ConfigError: with every problem found.
    """
    make = {"demo": _demo, "bids": _bids, "table": _table}[cohort["source"]]
    scans = make(cohort, bids_folder)
    problems = [
        f"roi.covariates: no column {name!r} in the table of scans; it has {', '.join(scans.columns)}"
        for name in covariates
        if name not in scans
    ]
    scans = _raise_with_rows(scans, problems)
    return table.finish(scans, cohort["validation_share"], cohort["test_share"], cohort["seed"])


def _demo(cohort: dict, bids_folder: str) -> pd.DataFrame:
    scans = draw_participants(cohort["demo"], cohort["seed"])
    names = [f"sub-{row.subject}/ses-{row.session}" for row in scans.itertuples()]
    scans["path"] = [f"{bids_folder}/{name}/anat/{name.replace('/', '_')}_T1w.nii.gz" for name in names]
    return scans


def _table(cohort: dict, _) -> pd.DataFrame:
    path = Path(cohort.get("path") or "")
    scans = _read_text_table(path)
    missing = [column for column in ("subject", "path", "group", "age", "sex") if column not in scans]
    if missing:
        raise ConfigError([f"{path}: no column {', '.join(missing)}; it has {', '.join(scans.columns)}"])
    if "session" not in scans:
        scans["session"] = ""
    problems = []
    for i, name in enumerate(scans.path):
        full = (path.parent / name).resolve()
        if not full.is_relative_to(path.parent.resolve()):
            problems.append(f"{path}: row {i + 1}: {name!r} leaves the folder of the table; give a path inside it")
        elif not full.is_file():
            problems.append(f"{path}: row {i + 1}: no file {full}; correct the path or remove the row")
        scans.loc[i, "path"] = str(path.parent / name)
    return _raise_with_rows(scans, problems)


def _bids(cohort: dict, _) -> pd.DataFrame:
    folder = Path(cohort.get("path") or "")
    people = _read_text_table(folder / "participants.tsv")
    missing = [column for column in ("participant_id", "group", "age", "sex") if column not in people]
    if missing:
        raise ConfigError([f"{folder}/participants.tsv: no column {', '.join(missing)}"])
    people["participant_id"] = people.participant_id.str.removeprefix("sub-")
    problems = [
        f"{folder}/participants.tsv: {subject!r} is listed more than once; keep one row"
        for subject in sorted(set(people.participant_id[people.participant_id.duplicated()]))
    ]
    people = people.drop_duplicates("participant_id").set_index("participant_id")
    rows, seen = [], set()
    for image in sorted(folder.glob("sub-*/**/anat/*_T1w.nii*")):
        parts = dict(part.split("-", 1) for part in image.name.split("_")[:-1] if "-" in part)
        subject, session = parts.get("sub", ""), parts.get("ses", "")
        if (subject, session) in seen:
            continue  # several runs: the first in order of name stands for the session
        seen.add((subject, session))
        if subject not in people.index:
            near = [known for known in people.index if known.lstrip("0") == subject.lstrip("0")]
            hint = f"{near[0]!r} has lost a leading zero?" if near else "add a row or remove the folder"
            problems.append(f"{folder}/participants.tsv: no row for sub-{subject}; {hint}")
            continue
        facts = people.loc[subject].to_dict() | _session_facts(folder, subject, session)
        rows.append(facts | {"subject": subject, "session": session, "path": str(image)})
    absent = sorted(set(people.index) - {subject for subject, _ in seen})
    problems += [
        f"{folder}: sub-{subject} is in participants.tsv but has no T1w image; remove the row" for subject in absent
    ]
    if not rows:
        problems.append(f"{folder}: no image sub-*/[ses-*/]anat/*_T1w.nii[.gz]; set cohort.path to a BIDS dataset")
    return _raise_with_rows(pd.DataFrame(rows, columns=[*COLUMNS] if not rows else None), problems)


def _session_facts(folder: Path, subject: str, session: str) -> dict:
    path = folder / f"sub-{subject}" / f"sub-{subject}_sessions.tsv"
    if not session or not path.exists():
        return {}
    visits = _read_text_table(path).set_index("session_id")
    visits.index = visits.index.str.removeprefix("ses-")
    return visits.loc[session].to_dict() if session in visits.index else {}


def _read_text_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise ConfigError([f"{path}: no such table; set cohort.path to what cohort.source reads"])
    separator = "," if path.suffix == ".csv" else "\t"
    return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False).replace("n/a", "")


def _raise_with_rows(scans: pd.DataFrame, problems: list[str]) -> pd.DataFrame:
    """Problems of the files and of the rows are shown together."""
    if problems:
        try:
            table.finish(scans, 0.2, 0.2, 0)
        except ConfigError as error:
            problems = problems + error.problems
        raise ConfigError(problems)
    return scans
