"""Where scans come from: the demo, a BIDS dataset, a table of scans or one of films."""

import datetime
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from counterwarp.cohorts import table
from counterwarp.cohorts.bids import LeaveOut, read_bids
from counterwarp.cohorts.participants import draw_participants
from counterwarp.cohorts.planted import check_plant, draw_patients
from counterwarp.cohorts.reading import read_text_table, rename, require
from counterwarp.errors import ConfigError, SplitError

LOG = logging.getLogger("counterwarp")
SEXES = {"f": "F", "female": "F", "m": "M", "male": "M"}
# The view of chest X-rays that is used.
FRONTAL = "PA"
A_DATE = "2015-03-27"
COLUMNS = ("subject", "session", "path", "group", "age", "sex")
# The table of a benchmark, whose images are drawn by the workflow.
NO_SCANS = pd.DataFrame(columns=["scan", "folder", *COLUMNS, "split", "baseline"])


def index(
    cohort: dict, bids_folder: str, covariates: Sequence[str] = (), leave_out: LeaveOut = lambda name, reason: None
) -> pd.DataFrame:
    """The validated table of scans of the configured source.

    Args:
        cohort: the section `cohort` of the configuration.
        bids_folder: where the demo's images are, or will be, simulated.
        covariates: columns that the regional model needs.
        leave_out: called with the name and the reason for each subject, session or image that is left out.

    Raises:
        ConfigError: with every problem found; and, where scans were left out, how many and why the first was, because
            that may be why a group is empty. A SplitError where nothing is wrong but that subjects are too few.
    """
    left_out = []

    def leave_out_and_remember(name: str, reason: str) -> None:
        left_out.append(f"{name}: {reason}")
        leave_out(name, reason)

    try:
        return _index(cohort, bids_folder, covariates, leave_out_and_remember)
    except ConfigError as error:
        if left_out:
            error.add(f"{len(left_out)} subjects, sessions or images are left out, the first: {left_out[0]}")
        if isinstance(error, SplitError):
            LOG.warning("the split is left empty, and nothing that needs one can be made: %s", error.problems[0])
        raise


def _index(cohort: dict, bids_folder: str, covariates: Sequence[str], leave_out: LeaveOut) -> pd.DataFrame:
    check_plant(cohort, [])
    make = {"demo": _demo, "bids": _bids, "table": _table, "films": _films}[cohort["source"]]
    scans, problems = make(cohort, bids_folder, leave_out)
    if not len(scans):
        raise ConfigError(problems)
    planting = bool(cohort["plant"]["regions"])
    if cohort["source"] != "demo":
        scans = _sexes(scans)
        if not (planting and cohort["plant"]["among"] == "all"):
            scans = _translate(scans, cohort["labels"], leave_out)
    if planting:
        scans = _plant(scans, cohort["plant"], cohort["seed"], leave_out)
    people = cohort["source"] != "films"
    problems += [
        f"roi.formula: no column {name!r} in the table of scans; it has {', '.join(scans.columns)}"
        for name in covariates
        if name not in scans
    ]
    scans = _raise_with_rows(scans, problems, people)
    shares = cohort["validation_share"], cohort["test_share"]
    return table.finish(scans, *shares, cohort["seed"], people, cohort["folds"])


def _demo(cohort: dict, bids_folder: str, _) -> tuple[pd.DataFrame, list[str]]:
    scans = draw_participants(cohort["demo"], cohort["seed"])
    names = [f"sub-{row.subject}/ses-{row.session}" for row in scans.itertuples()]
    scans["path"] = [f"{bids_folder}/{name}/anat/{name.replace('/', '_')}_T1w.nii.gz" for name in names]
    return scans, []


def _table(cohort: dict, _, leave_out: LeaveOut) -> tuple[pd.DataFrame, list[str]]:
    path = Path(cohort["path"])
    scans = rename(read_text_table(path), cohort["columns"])
    require(list(scans), ("subject", "path", "group", "age", "sex"), cohort["columns"], path)
    if "session" not in scans:
        scans["session"] = ""
    return _place(scans, path, leave_out)


def _films(cohort: dict, _, leave_out: LeaveOut) -> tuple[pd.DataFrame, list[str]]:
    """2-D images. Where the table has views, the posteroanterior ones; where it has dates, they are the sessions."""
    path = Path(cohort["path"])
    films = rename(read_text_table(path), cohort["columns"])
    require(list(films), ("subject", "path", "group"), cohort["columns"], path)
    problems = []
    for number, row in enumerate(films.to_dict("records"), 1):
        if not _is_date(row.get("date", A_DATE)):
            problems.append(f"{path}: row {number}: date {row['date']!r} is not of the form {A_DATE}; correct it")
        if not row.get("view", FRONTAL):
            problems.append(f"{path}: row {number}: no view; write PA, or what it is")
    if "date" in films:
        films["session"] = films["date"].str.replace("-", "")
    elif "session" not in films:
        films["session"] = ""
    films, of_paths = _place(films.assign(age=np.nan, sex=""), path, leave_out)
    problems += of_paths
    if "view" not in films:
        return films, problems
    frontal = films["view"].str.upper() == FRONTAL
    for row in films[~frontal].itertuples():
        leave_out(table.name_of(row, "_"), f"its view is {row.view}, not {FRONTAL}")
    if len(films) and not frontal.any():
        problems.append(f"{path}: no film has the view {FRONTAL}; DeFI-GAN was made for posteroanterior films")
    return films[frontal].reset_index(drop=True), problems


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _place(scans: pd.DataFrame, path: Path, leave_out: LeaveOut) -> tuple[pd.DataFrame, list[str]]:
    """Let the paths of a table start where we are; what is wrong with them. A row whose file cannot be read is out."""
    problems = [] if len(scans) else [f"{path}: no row below the header; give each scan one"]
    folder, kept = os.path.realpath(path.parent), []
    for number, row in enumerate(scans.itertuples(), 1):
        full = os.path.realpath(path.parent / row.path)
        leaves = not Path(full).is_relative_to(folder)
        there = os.path.isfile(full)
        kept.append(leaves or (there and os.access(full, os.R_OK)))
        if leaves:
            problems.append(f"{path}: row {number}: {row.path!r} leaves the folder of the table; give a path inside it")
        elif not kept[-1]:
            why = f"no permission to read {full}; ask its owner for it" if there else f"no file {full}"
            leave_out(table.name_of(row, "_"), f"{path}: row {number}: {why}")
    if kept and not any(kept):
        problems.append(
            f"{path}: none of its {len(kept)} images can be read; correct the paths, which start at {folder}"
        )
    scans = scans.assign(path=[str(path.parent / name) for name in scans["path"]])
    return scans[np.array(kept, bool)].reset_index(drop=True), problems


def _bids(cohort: dict, _, leave_out: LeaveOut) -> tuple[pd.DataFrame, list[str]]:
    scans, problems = read_bids(Path(cohort["path"]), cohort["columns"], cohort["bids"], leave_out)
    if len(scans):
        where = f"{cohort['path']}/participants.tsv and the tables of sessions"
        require(list(scans), ("group", "age", "sex"), cohort["columns"], where)
    return scans, problems


def _translate(scans: pd.DataFrame, labels: dict[str, str], leave_out: LeaveOut) -> pd.DataFrame:
    """Groups in our words; scans of other groups are left out."""
    known = scans["group"].isin(list(labels))
    for label, rows in scans[~known].groupby("group"):
        LOG.warning("%d scans left out: their group %r is not among cohort.labels", len(rows), label)
        for row in rows.itertuples():
            leave_out(table.name_of(row, "_"), f"its group {label!r} is not among cohort.labels")
    scans = scans[known].reset_index(drop=True)
    if not len(scans):
        raise ConfigError([f"cohort.labels: no scan has one of {', '.join(map(repr, labels))}; correct the labels"])
    return scans.assign(group=scans["group"].map(labels))


def _sexes(scans: pd.DataFrame) -> pd.DataFrame:
    """Sexes in our words."""
    return scans.assign(sex=scans["sex"].str.lower().map(SEXES).fillna(scans["sex"]))


def _plant(scans: pd.DataFrame, plant: dict, seed: int, leave_out: LeaveOut) -> pd.DataFrame:
    """The first scan of each subject, half of whom become patients."""
    taken = scans["group"].eq("control") | (plant["among"] == "all")
    first = table.is_first(scans.assign(age=pd.to_numeric(scans["age"], errors="coerce")))
    for row in scans[~taken].itertuples():
        leave_out(table.name_of(row, "_"), "no control, among whom cohort.plant plants a disease")
    for row in scans[taken & ~first].itertuples():
        leave_out(table.name_of(row, "_"), "not its subject's first scan, in which cohort.plant plants a disease")
    scans = scans[taken & first].reset_index(drop=True)
    if not len(scans):
        raise ConfigError(["cohort.plant.among: no scan of a control; correct cohort.labels, or take all"])
    return draw_patients(scans, plant["severity_sd"], seed)


def _raise_with_rows(scans: pd.DataFrame, problems: list[str], people: bool = True) -> pd.DataFrame:
    """Problems of the files and of the rows are shown together."""
    if problems:
        try:
            table.finish(scans, 0.2, 0.2, 0, people)
        except ConfigError as error:
            problems = problems + error.problems
        raise ConfigError(problems)
    return scans
