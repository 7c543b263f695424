"""Where scans come from: the demo, a BIDS dataset, or a table of images."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from counterwarp.cohorts import table
from counterwarp.cohorts.participants import draw_participants
from counterwarp.errors import ConfigError

LOG = logging.getLogger("counterwarp")
SEXES = {"f": "F", "female": "F", "m": "M", "male": "M"}
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
    if cohort["source"] != "demo":
        scans = _translate(scans, cohort["labels"])
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
    path = Path(cohort["path"])
    scans = _rename(_read_text_table(path), cohort["columns"])
    _require(scans, ("subject", "path", "group", "age", "sex"), cohort["columns"], path)
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
    folder, columns = Path(cohort["path"]), cohort["columns"]
    people = _rename(_read_text_table(folder / "participants.tsv"), columns)
    _require(people, ("participant_id",), columns, folder / "participants.tsv")
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
        facts = people.loc[subject].to_dict() | _session_facts(folder, subject, session, columns)
        rows.append(facts | {"subject": subject, "session": session, "path": str(image)})
    absent = sorted(set(people.index) - {subject for subject, _ in seen})
    problems += [
        f"{folder}: sub-{subject} is in participants.tsv but has no T1w image; remove the row" for subject in absent
    ]
    if not rows:
        problems.append(f"{folder}: no image sub-*/[ses-*/]anat/*_T1w.nii[.gz]; set cohort.path to a BIDS dataset")
    scans = pd.DataFrame(rows, columns=[*COLUMNS] if not rows else None)
    _require(scans, ("group", "age", "sex"), columns, f"{folder}/participants.tsv and the tables of sessions")
    return _raise_with_rows(scans.fillna(""), problems)


def _session_facts(folder: Path, subject: str, session: str, columns: dict[str, str]) -> dict:
    """What the subject's table of sessions says of one: it comes before what the table of participants says."""
    path = folder / f"sub-{subject}" / f"sub-{subject}_sessions.tsv"
    if not session or not path.exists():
        return {}
    visits = _rename(_read_text_table(path), columns).set_index("session_id")
    visits.index = visits.index.str.removeprefix("ses-")
    return visits.loc[session].to_dict() if session in visits.index else {}


def _rename(table_read: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """Columns by our names; one that only happens to have such a name is dropped."""
    names = {theirs: ours for ours, theirs in columns.items()}
    chance = [ours for ours in columns if ours in table_read and ours not in names]
    return table_read.drop(columns=chance).rename(columns=names)


def _require(scans: pd.DataFrame, wanted: Sequence[str], columns: dict[str, str], where) -> None:
    missing = [columns.get(name, name) for name in wanted if name not in scans]
    if missing:
        raise ConfigError(
            [f"{where}: no column {', '.join(missing)}; correct the table, or say in cohort.columns what it is called"]
        )


def _translate(scans: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """Groups and sexes in our words; scans of other groups are left out, and their number is said."""
    known = scans["group"].isin(list(labels)) | (scans["group"] == "")
    for label, rows in scans[~known].groupby("group"):
        LOG.warning("%d scans left out: their group %r is not among cohort.labels", len(rows), label)
    scans = scans[known].reset_index(drop=True)
    if not len(scans):
        raise ConfigError([f"cohort.labels: no scan has one of {', '.join(map(repr, labels))}; correct the labels"])
    sexes = scans["sex"].str.lower().map(SEXES).fillna(scans["sex"])
    return scans.assign(group=scans["group"].map(labels).fillna(""), sex=sexes)


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
