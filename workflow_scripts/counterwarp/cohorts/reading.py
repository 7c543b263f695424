"""Tables that users write: read as text, with their own column names."""

import csv
import os
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from counterwarp.errors import ConfigError


def read_text_table(path: Path, remedy: str = "set cohort.path to what cohort.source reads") -> pd.DataFrame:
    """What `read_text_rows` reads, with the same arguments and errors."""
    header, rows = read_text_rows(path, remedy)
    return pd.DataFrame(rows, columns=header, dtype=str)


def read_text_rows(
    path: Path, remedy: str = "set cohort.path to what cohort.source reads"
) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a TSV, or a CSV, of text without the spaces around it; "n/a" becomes "".

    A byte-order mark and the line ends of other systems are no matter.

    Args:
        path: of the table.
        remedy: what to do where there is none.

    Raises:
        ConfigError: no such file, not UTF-8, a row longer or shorter than the header, or a column named twice.
    """
    if not os.path.isfile(path):
        raise ConfigError([f"{path}: no such table; {remedy}"])
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = [row for row in csv.reader(file, delimiter="," if path.suffix == ".csv" else "\t") if any(row)]
    except PermissionError as error:
        raise ConfigError([f"{path}: no permission to read it; ask its owner for it"]) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError([f"{path}: not a table of UTF-8 text ({error}); save it as UTF-8"]) from error
    if any("\0" in cell for line in lines for cell in line):
        raise ConfigError([f"{path}: not a table of UTF-8 text (it holds zero bytes); save it as UTF-8"])
    if not lines:
        raise ConfigError([f"{path}: the table is empty; give it a header line and a row for each scan"])
    header, *rows = [[cell.strip() for cell in line] for line in lines]
    problems = [
        f"{path}: column {name!r} is there {header.count(name)} times; keep one"
        for name in dict.fromkeys(header)
        if header.count(name) > 1
    ]
    problems += [
        f"{path}: row {number} has {len(row)} cells and the header {len(header)}; correct the row"
        for number, row in enumerate(rows, 1)
        if len(row) != len(header)
    ]
    if problems:
        raise ConfigError(problems)
    return header, [["" if cell == "n/a" else cell for cell in row] for row in rows]


def our_names(header: Sequence[str], columns: dict[str, str]) -> dict[str, str]:
    """Their name of each column -> ours; without those that only happen to have one of our names.

    Args:
        header: the names in the data.
        columns: our name -> the name in the data.
    """
    ours = {theirs: ours for ours, theirs in columns.items()}
    return {name: ours.get(name, name) for name in header if name in ours or name not in columns}


def rename(table: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """Columns by our names; one that only happens to have such a name is dropped."""
    names = our_names(list(table), columns)
    return table[list(names)].set_axis(list(names.values()), axis=1)


def require(names: Collection[str], wanted: Sequence[str], columns: dict[str, str], where) -> None:
    """Raise a ConfigError that names the columns that are missing.

    Args:
        names: of the columns of a table, ours.
        wanted: our names of the columns needed.
        columns: our name -> the name in the data.
        where: the table, for the message.
    """
    missing = [columns.get(name, name) for name in wanted if name not in names]
    if missing:
        has = f"it has {', '.join(map(repr, names))}" if len(names) else "it has none"
        raise ConfigError(
            [
                f"{where}: no column {', '.join(missing)} ({has}); correct the table, or say in cohort.columns what "
                "it is called"
            ]
        )
