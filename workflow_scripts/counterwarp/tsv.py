"""Our own tables, read back as they were written."""

from pathlib import Path

import pandas as pd

# Ids, and what users write. `NA` and `null` are names, and `007` is no number.
TEXT = ("scan", "subject", "session", "reason")


def read_tsv(path: str | Path, *more: str) -> pd.DataFrame:
    """A table whose columns TEXT, and `more`, are the text that they are; of others an empty cell is missing."""
    # dtype=str would still take NA for a missing value; a converter sees every cell.
    return pd.read_csv(path, sep="\t", converters=dict.fromkeys((*TEXT, *more), str))
