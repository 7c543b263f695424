"""Joining the folds of a study: each has explained the scans of its own test subjects."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from counterwarp.arrays import ArrayFile, release
from counterwarp.cohorts.folds import folds_of, split_column


def order_of(index: pd.DataFrame) -> np.ndarray:
    """Where each packed scan is explained: (n, 2), the number of its fold (from 0) and its place in there.

    Args:
        index: of the pack, one row a scan, with the split of each fold.
    """
    tested = np.stack([index[split_column(fold)].to_numpy() == "test" for fold in folds_of(index)])
    fold = tested.argmax(0)
    return np.column_stack([fold, (tested.cumsum(1) - 1)[fold, np.arange(len(index))]])


def join_arrays(paths: Sequence[str | Path], order: np.ndarray, output: str | Path) -> None:
    """Write the rows of arrays (.npy, one a fold) in the order of the pack, one row in memory at a time."""
    arrays = [np.load(path, mmap_mode="r") for path in paths]
    with ArrayFile(output, arrays[0].dtype, (len(order), *arrays[0].shape[1:])) as file:
        for fold, place in order:
            file.write(np.array(arrays[fold][place])[None])
            release(arrays[fold])


def join_tables(paths: Sequence[str | Path], order: np.ndarray, output: str | Path) -> None:
    """Write the rows of tables (TSV, one a fold, with the column row) in the order of the pack."""
    tables = [pd.read_csv(path, sep="\t") for path in paths]
    filled = [table for table in tables if len(table)] or tables[:1]
    pd.concat(filled).sort_values("row").to_csv(output, sep="\t", index=False)
