"""The scans of a BIDS dataset: listed once, and matched with its tables."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from counterwarp.cohorts.reading import our_names, read_text_rows, read_text_table, rename, require
from counterwarp.errors import ConfigError

# Neither walks further down: derivatives and sourcedata of a subject are not read.
PLACES = ("sub-*/anat/*_T1w.nii*", "sub-*/ses-*/anat/*_T1w.nii*")
LeaveOut = Callable[[str, str], None]
NAME = re.compile(r"sub-([^_]+)(?:_ses-([^_]+))?((?:_[a-z]+-[^_]+)*)_T1w\.nii(?:\.gz)?")


@dataclass(frozen=True)
class Image:
    """A T1w image; entities: those of its name behind the session, as acq, rec and run."""

    subject: str
    session: str
    entities: dict[str, str]
    path: Path

    @property
    def scan(self) -> str:
        """sub-X[_ses-Y]."""
        return f"sub-{self.subject}" + (f"_ses-{self.session}" if self.session else "")

    @property
    def order(self) -> tuple:
        """By run, as a number, then by name."""
        run = self.entities.get("run", "0")
        return (int(run) if run.isdigit() else 0, self.path.name)


def read_bids(
    folder: Path, columns: dict[str, str], chosen: dict[str, str | None], leave_out: LeaveOut
) -> tuple[pd.DataFrame, list[str]]:
    """One row for each session that has an image and its facts.

    What the subject's table of sessions says comes before what participants.tsv says; its empty cells say nothing.
    Subjects and sessions that are listed without an image, and images that are not listed, are left out.

    Args:
        folder: of the dataset.
        columns: our name -> the name in the data, of group, age and sex.
        chosen: `acq` and `rec`, the labels to take (None takes any, "" those without one), and `run`, first or last.
        leave_out: called with the name and the reason for each subject, session or image that is left out.

    Returns:
        The rows, with subject, session, path and the columns of both tables; and the problems of the dataset.

    Raises:
        ConfigError: a table that cannot be read, or lacks a column.
    """
    people, problems = _people(folder, columns)
    images = _images(folder, leave_out)
    visits = {subject: _visits(folder, subject, columns) for subject in dict.fromkeys(i.subject for i in images)}
    rows = []
    for image in _one_a_session(images, chosen, leave_out):
        facts, listed = people.get(image.subject), visits[image.subject]
        if facts is None:
            problems += _lost_zero(image, people, folder)
            leave_out(image.scan, f"{image.path}: no row for sub-{image.subject} in participants.tsv")
        elif image.session and listed is not None and image.session not in listed:
            leave_out(image.scan, f"{image.path}: ses-{image.session} is not in the subject's table of sessions")
        else:
            of_session = (listed or {}).get(image.session, {}) if image.session else {}
            said = {name: cell for name, cell in of_session.items() if cell or name not in facts}
            place = {"subject": image.subject, "session": image.session, "path": str(image.path)}
            rows.append(facts | said | place)
    _leave_out_absent(people, visits, {image.scan for image in images}, leave_out)
    if not images:
        problems.append(f"{folder}: no image sub-*/[ses-*/]anat/*_T1w.nii[.gz]; set cohort.path to a BIDS dataset")
    elif not rows:
        problems.append(f"{folder}: none of its {len(images)} T1w images can be used; {_why(images, chosen)}")
    return pd.DataFrame(rows).fillna(""), problems


def _people(folder: Path, columns: dict[str, str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """What participants.tsv says of each subject; and what is wrong with it."""
    path = folder / "participants.tsv"
    table = rename(read_text_table(path), columns)
    require(list(table), ("participant_id",), columns, path)
    subjects = table.pop("participant_id").str.removeprefix("sub-")
    problems = [
        f"{path}: {subject!r} is listed more than once; keep one row"
        for subject in sorted(set(subjects[subjects.duplicated()]))
    ]
    return dict(zip(subjects, table.to_dict("records"), strict=True)), problems


def _visits(folder: Path, subject: str, columns: dict[str, str]) -> dict[str, dict[str, str]] | None:
    """What the subject's table of sessions says of each; None where there is none."""
    path = folder / f"sub-{subject}" / f"sub-{subject}_sessions.tsv"
    if not path.exists():
        return None
    # Not by pandas, which takes ten times as long for so small a table, and a cohort has thousands.
    header, rows = read_text_rows(path)
    names = our_names(header, columns)
    require(names.values(), ("session_id",), columns, path)
    visits = [{names[name]: cell for name, cell in zip(header, row, strict=True) if name in names} for row in rows]
    sessions = [visit.pop("session_id").removeprefix("ses-") for visit in visits]
    if twice := sorted({session for session in sessions if sessions.count(session) > 1}):
        raise ConfigError([f"{path}: session {', '.join(twice)} is listed more than once; keep one row"])
    return dict(zip(sessions, visits, strict=True))


def _images(folder: Path, leave_out: LeaveOut) -> list[Image]:
    """All T1w images whose names say what they are."""
    images = []
    for path in sorted(path for place in PLACES for path in folder.glob(place)):
        parts, folders = NAME.fullmatch(path.name), path.relative_to(folder).parts[:-2]
        scan = "_".join(folders)
        if not parts:
            leave_out(scan, f"{path}: not a name as BIDS has it; rename the file")
            continue
        subject, session, entities = parts.groups(default="")
        if scan != f"sub-{subject}" + (f"_ses-{session}" if session else ""):
            leave_out(scan, f"{path}: the name belongs into another folder; move or rename the file")
        elif not os.path.isfile(path):
            leave_out(scan, f"{path}: a link that leads nowhere; fetch the file that it stands for")
        elif not os.access(path, os.R_OK):
            leave_out(scan, f"{path}: no permission to read it; ask its owner for it")
        else:
            images.append(Image(subject, session, dict(part.split("-", 1) for part in entities.split("_")[1:]), path))
    return images


def _one_a_session(images: list[Image], chosen: dict[str, str | None], leave_out: LeaveOut) -> list[Image]:
    """Of each session the image with the entities asked for; of several the first run, or the last."""
    sessions = {}
    for image in images:
        wrong = [
            f"{name}-{image.entities.get(name, '')}"
            for name in ("acq", "rec")
            if chosen[name] is not None and image.entities.get(name, "") != chosen[name]
        ]
        if wrong:
            leave_out(image.scan, f"{image.path}: {', '.join(wrong)} is not what cohort.bids asks for")
        else:
            sessions.setdefault(image.scan, []).append(image)
    taken = []
    for several in sessions.values():
        ordered = sorted(several, key=lambda image: image.order)
        taken.append(ordered[0 if chosen["run"] == "first" else -1])
        for image in ordered:
            if image is not taken[-1]:
                leave_out(image.scan, f"{image.path}: {taken[-1].path.name} stands for this session (cohort.bids)")
    return taken


def _lost_zero(image: Image, people: dict[str, dict[str, str]], folder: Path) -> list[str]:
    near = [known for known in people if known.lstrip("0") == image.subject.lstrip("0")]
    where = f"{folder}/participants.tsv: no row for sub-{image.subject}"
    return [f"{where}; {near[0]!r} has lost a leading zero?"] if near else []


def _leave_out_absent(people: dict, visits: dict, found: set[str], leave_out: LeaveOut) -> None:
    """Say which subjects and sessions are listed without an image."""
    for subject in people:
        if subject not in visits:
            leave_out(f"sub-{subject}", "in participants.tsv, but without a T1w image")
    for subject, listed in visits.items():
        for session in listed or {}:
            if f"sub-{subject}_ses-{session}" not in found:
                leave_out(f"sub-{subject}_ses-{session}", "in the subject's table of sessions, but without a T1w image")


def _why(images: list[Image], chosen: dict[str, str | None]) -> str:
    """The remedy where no image is left."""
    for name in ("acq", "rec"):
        labels = sorted({image.entities.get(name, "") for image in images})
        if chosen[name] is not None and chosen[name] not in labels:
            return f"set cohort.bids.{name} to one of {', '.join(map(repr, labels))}, or to null"
    return "give them rows in participants.tsv and in the subjects' tables of sessions"
