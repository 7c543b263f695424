"""The one table of scans that everything else reads: checked, split, and written only when it has changed."""

import logging
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from counterwarp.cohorts.folds import draw_folds, folds_of, split_column
from counterwarp.errors import ConfigError, SplitError

LOG = logging.getLogger("counterwarp")
SPLITS = ("train", "validation", "test")
GROUPS = ("control", "patient")
# A split and a session may be named by numbers.
TEXT = ("scan", "folder", "subject", "session", "path", "group", "sex", "split", "baseline")
ID = re.compile(r"[A-Za-z0-9]+")
COMMA = re.compile(r"[-+]?\d+,\d+")
PARTS = re.compile(r"(\d+)")
# File names may have 255 characters, and what is made of a scan adds up to 90 to its name.
LONGEST_NAME = 150
# The networks need at least this many subjects of each group in each part.
FEWEST_SUBJECTS = 1


def finish(
    scans: pd.DataFrame, validation_share: float, test_share: float, seed: int, people: bool = True, folds: int = 1
) -> pd.DataFrame:
    """Check a source's table and complete it.

    Args:
        scans: one row a scan with subject, session ("" for none), path, group, age, sex; other columns are kept; an own
            column `split` is honoured.
        validation_share, test_share: of the subjects of each group.
        seed: of the split.
        people: whether age and sex are needed, which the model of regional volumes does; else they may be empty.
        folds: 1 for one split; with more, every subject is test in one of them (`folds.draw_folds`).

    Returns:
        The table with scan (sub-X[_ses-Y]), folder (sub-X[/ses-Y]), baseline and split, sorted by scan. With folds,
        split is test, and `folds.split_column` of each says more.

    Raises:
        ConfigError: with every problem found; a SplitError where nothing is wrong but that subjects are too few.
    """
    scans = scans.copy()
    scans["scan"] = [name_of(row, "_") for row in scans.itertuples()]
    scans["folder"] = [name_of(row, "/") for row in scans.itertuples()]
    problems = _problems_of_rows(scans, people)
    if problems:
        raise ConfigError(problems)
    scans["age"] = pd.to_numeric(scans["age"])
    scans = scans.sort_values("scan", ignore_index=True)
    scans["baseline"] = is_first(scans)
    if "split" in scans and folds > 1:
        LOG.warning("cohort.folds: %d is not followed, for the table of scans has a column split of its own", folds)
    elif folds > 1:
        scans = scans.assign(split="test", **draw_folds(scans, folds, validation_share, seed))
    if "split" not in scans:
        scans["split"] = _draw_split(scans, validation_share, test_share, seed)
    parts = folds_of(scans) or [None]
    wrong = _problems_of_split(scans)
    lacking = [*lacking_groups(scans), *(problem for fold in parts for problem in _lacking_subjects(scans, fold))]
    if wrong:
        raise ConfigError(wrong + lacking)
    first = ["scan", "folder", "subject", "session", "path", "group", "age", "sex", "split", "baseline"]
    scans = scans[first + [column for column in scans if column not in first]]
    if lacking:
        raise SplitError(lacking, scans.assign(split=""))
    return scans


def name_of(row, separator: str) -> str:
    """sub-X, and with a session the separator and ses-Y."""
    return f"sub-{row.subject}" + (f"{separator}ses-{row.session}" if row.session else "")


def _problems_of_rows(scans: pd.DataFrame, people: bool) -> list[str]:
    problems = []
    for row in scans.itertuples():
        for name, value in (("subject", row.subject), ("session", row.session)):
            if value and not ID.fullmatch(value):
                problems.append(f"{row.path}: {name} {value!r} may hold letters and digits only; rename it")
        if len(row.scan) > LONGEST_NAME:
            problems.append(
                f"{row.path}: name {row.scan[:40]!r}... has {len(row.scan)} characters; give it at most {LONGEST_NAME}"
            )
        if not row.subject:
            problems.append(f"{row.path}: no subject; give each scan its subject")
        if row.group not in GROUPS:
            problems.append(f"{row.scan}: group {row.group!r} is not one of {', '.join(GROUPS)}; correct the table")
        problems += _problems_of_person(row) if people else []
        problems += _problems_of_id(row)
    for scan, rows in scans[scans["scan"].duplicated(keep=False)].groupby("scan"):
        problems.append(f"{scan}: listed {len(rows)} times ({', '.join(rows.path)}); keep one of them")
    return problems


def _problems_of_person(row) -> list[str]:
    if str(row.age).upper() in ("F", "M") and _is_age(row.sex):
        return [f"{row.scan}: age {row.age!r} and sex {row.sex!r} are swapped; correct the table or cohort.columns"]
    problems = []
    if row.sex not in ("F", "M"):
        problems.append(f"{row.scan}: sex {row.sex!r} is not F or M; the regional model needs it")
    if not _is_age(row.age):
        point = f"; write {row.age.replace(',', '.')} with a point" if COMMA.fullmatch(str(row.age)) else ""
        problems.append(f"{row.scan}: age {row.age!r} is not a number of years; the regional model needs it{point}")
    return problems


def _is_age(value) -> bool:
    try:
        return 0 <= float(value) <= 130
    except (TypeError, ValueError):
        return False


def _problems_of_id(row) -> list[str]:
    """A spreadsheet turns 001 into 1: the path still knows."""
    in_path = re.search(r"sub-([A-Za-z0-9]+)", str(row.path))
    if in_path and in_path[1] != row.subject and in_path[1].lstrip("0") == row.subject.lstrip("0"):
        return [f"{row.path}: subject {row.subject!r} lost a leading zero; write {in_path[1]!r} and keep ids as text"]
    return []


def is_first(scans: pd.DataFrame) -> pd.Series:
    """Whether a scan is its subject's first: at the lowest age, then by session, whose numbers count as numbers."""
    sessions = sorted(
        set(scans["session"]),
        key=lambda session: [(len(p), p) if p.isdigit() else (0, p) for p in PARTS.split(session)],
    )
    visit = scans["session"].map({session: place for place, session in enumerate(sessions)})
    ordered = scans.assign(visit=visit).sort_values(["age", "visit"], kind="stable")
    return ~ordered.duplicated("subject").reindex(scans.index)


def _draw_split(scans: pd.DataFrame, validation_share: float, test_share: float, seed: int) -> list[str]:
    """Shuffle the subjects of each group; the first go to test, the next to validation, the rest to train.

    Subjects who were scanned again are spread evenly over that order, so that each split has its share of them.
    """
    rng = np.random.default_rng(seed)
    again = set(scans.subject[~scans.baseline])
    split = {}
    for _, members in scans[scans.baseline].groupby("group"):
        subjects = _spread(rng.permutation(members.subject.to_numpy()), again)
        n_test = round(test_share * len(subjects))
        n_validation = max(FEWEST_SUBJECTS, round(validation_share * len(subjects)))
        for i, subject in enumerate(subjects):
            split[subject] = "test" if i < n_test else "validation" if i < n_test + n_validation else "train"
    return [split[subject] for subject in scans.subject]


def _spread(subjects: Sequence[str], chosen: set[str]) -> list[str]:
    """The subjects with those of `chosen` at even distances, both kinds in the order in which they were."""
    kinds = [[s for s in subjects if s in chosen], [s for s in subjects if s not in chosen]]
    places = {subject: (i + 0.5) / len(kind) for kind in kinds for i, subject in enumerate(kind)}
    return sorted(subjects, key=places.get)


def _problems_of_split(scans: pd.DataFrame) -> list[str]:
    problems = []
    for subject, rows in scans.groupby("subject"):
        if rows.split.nunique() > 1:
            problems.append(f"sub-{subject}: in {' and '.join(sorted(set(rows.split)))}; keep a subject in one split")
    unknown = sorted(set(scans.split) - set(SPLITS))
    if unknown:
        problems.append(f"split {', '.join(map(repr, unknown))} is not one of {', '.join(SPLITS)}; correct the table")
    return problems


def lacking_groups(scans: pd.DataFrame) -> list[str]:
    """What a table lacks of the two groups that are compared."""
    return [
        f"no {group} among {scans.subject.nunique()} subjects; a classifier needs both groups"
        for group in GROUPS
        if group not in set(scans.group)
    ]


def _lacking_subjects(scans: pd.DataFrame, fold: int | None) -> list[str]:
    problems = []
    where, remedy = ("", "and cohort.test_share") if fold is None else (f" of fold {fold}", "or cohort.folds")
    for group in GROUPS:
        members = scans[scans.group == group].drop_duplicates("subject")
        for split in SPLITS if len(members) else ():
            n = (members[split_column(fold)] == split).sum()
            if n < FEWEST_SUBJECTS:
                problems.append(
                    f"{split}{where}: {n} of {len(members)} {group} subjects; add subjects or change "
                    f"cohort.validation_share {remedy}"
                )
    return problems


def check_averaged(scans: pd.DataFrame, split: str, covariates: Sequence[str]) -> None:
    """Refuse a cohort whose subjects of `group.split` are too few for voxelwise inference.

    Args:
        scans: of `finish`.
        split: one of SPLITS, or "all".
        covariates: of the model, beside its constant and the group.

    Raises:
        ConfigError: where nothing would be left to judge chance by.
    """
    chosen = scans[scans.baseline & ((scans.split == split) | (split == "all"))]
    needed = len(covariates) + 3
    if len(chosen) < needed:
        raise ConfigError(
            [
                f"group.split: {split} has {len(chosen)} subjects; voxelwise inference with {len(covariates)} "
                f"covariates needs {needed}: add subjects, name fewer in roi.formula, or set group.split to all"
            ]
        )


def check_covariates(
    scans: pd.DataFrame, covariates: Sequence[str], categories: Collection[str], modelled: pd.Series
) -> None:
    """Refuse a table in which covariates have holes, or a column of numbers cells that are none.

    One such cell would make the whole column text, and of each of its values a column of the model.

    Args:
        scans: of `finish`.
        covariates: columns that the regional model reads.
        categories: those of them whose numbers are only names.
        modelled: a bool for each scan, whether the model sees it and so needs its values.

    Raises:
        ConfigError: with each cell that is empty, or no number among numbers.
    """
    problems = []
    for name in covariates:
        # `finish` has checked what these hold, and to `read` they are text whatever they hold.
        if name in TEXT:
            continue
        values = scans[name].astype(str)
        problems += [
            f"{scan}: no {name}, which roi.formula reads; fill it in, list the scan in qc.listed, or take {name} out "
            "of the formula"
            for scan in scans["scan"][(values == "") & modelled]
        ]
        if name not in categories:
            problems += _cells_among_numbers(scans["scan"], values)
    if problems:
        raise ConfigError(problems)


def _cells_among_numbers(scans: pd.Series, values: pd.Series) -> list[str]:
    """Cells that are no numbers in a column where most are, or would be with a point for their comma."""
    filled = values[values != ""]
    number, comma = np.isfinite(pd.to_numeric(filled, errors="coerce")), filled.str.fullmatch(COMMA)
    if (number | comma).sum() <= len(filled) / 2:
        return []
    return [
        f"{scans[i]}: {values.name} {filled[i]!r} is not a number, as most are; "
        + (f"write {filled[i].replace(',', '.')} with a point" if comma[i] else "correct it")
        + f", or C({values.name}) in roi.formula if they are names"
        for i in filled.index[~number]
    ]


def write_if_changed(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table (TSV), leaving the file and its time alone when it says the same already."""
    path = Path(path)
    text = table.to_csv(sep="\t", index=False)
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text)
    unfinished.replace(path)


def write_left_out(left_out: list[tuple[str, str]], path: str | Path) -> None:
    """Write who is left out and why (TSV: scan, reason), and say how many they are.

    Args:
        left_out: name and reason of each subject, session or image.
        path: of the table.
    """
    write_if_changed(pd.DataFrame(left_out, columns=["scan", "reason"]).sort_values("scan", kind="stable"), path)
    if left_out:
        LOG.warning("%d subjects, sessions or images are left out: %s says which and why", len(left_out), path)


def read(path: str | Path) -> pd.DataFrame:
    """Read a table of scans written by `write_if_changed`; ids stay text, a user's own columns of numbers do not."""
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    own = {name: _numbers(table[name]) for name in table if name not in TEXT}
    return table.assign(**own, baseline=table.baseline == "True")


def _numbers(values: pd.Series) -> pd.Series:
    """Numbers where all are; an empty cell is missing."""
    values = values.where(values != "")
    try:
        return pd.to_numeric(values)
    except ValueError:
        return values
