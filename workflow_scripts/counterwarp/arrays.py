"""Arrays of the whole cohort on disk, read and written a few rows at a time."""

import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

AT_A_TIME = 64  # rows that are in memory together where nothing else says how many


def release(array: np.ndarray) -> None:
    """Take a mapped array out of this process's memory; what is read again comes from the system's cache or the disk.

    The system would take the memory back when it needs it, but until then a cluster counts it as the job's. An array
    that is not mapped stays as it is.
    """
    if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap):
        array.base.madvise(mmap.MADV_DONTNEED)


class Rows:
    """Some rows of an array (m, ...), as an array (n, ...) of which only what is asked for is read.

    Args:
        array: possibly mapped.
        rows: (n,), in the order wanted.
    """

    def __init__(self, array: np.ndarray, rows: Sequence[int]):
        self.array, self.rows = array, np.asarray(rows)
        self.dtype, self.shape = array.dtype, (len(self.rows), *array.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen) -> np.ndarray:
        """A copy of these rows of the n: anything that picks several, as of numpy."""
        values = np.asarray(self.array[self.rows[chosen]])
        release(self.array)
        return values

    def __iter__(self) -> Iterator[np.ndarray]:
        """A copy of one row after the other."""
        return (self[[number]][0] for number in range(len(self)))


def blocks(array: np.ndarray | Rows) -> Iterator[np.ndarray]:
    """All rows of an array in order, a few at a time."""
    for start in range(0, len(array), AT_A_TIME):
        yield array[start : start + AT_A_TIME]
        release(array)


def mean_rows(paths: Sequence[str | Path], rows: Sequence[int]) -> Iterator[np.ndarray]:
    """The mean of each of these rows over several .npy files of one shape, of each of which one row is in memory."""
    arrays = [Rows(np.load(path, mmap_mode="r"), rows) for path in paths]
    return (np.mean(of_row, axis=0) for of_row in zip(*arrays, strict=True))


class ArrayFile:
    """A .npy file of a known number of rows that are written as they come; the bytes are those of `np.save`.

    A full disk is an error here; under a mapped file it would kill the process without a word.

    Args:
        path: of the file.
        dtype: of the array.
        shape: of the array.
    """

    def __init__(self, path: str | Path, dtype, shape: Sequence[int]):
        self.path, self.dtype, self.shape = path, np.dtype(dtype), tuple(shape)

    def __enter__(self) -> "ArrayFile":
        self.file, self.written = open(self.path, "wb"), 0
        described = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(self.file, described)
        return self

    def write(self, rows: np.ndarray) -> None:
        """Append rows (k, ...), converted to the file's type.

        Raises:
            ValueError: they have another shape than the array's rows.
        """
        if rows.shape[1:] != self.shape[1:]:
            raise ValueError(f"{self.path}: rows of {rows.shape[1:]} in an array of {self.shape}")
        self.file.write(np.ascontiguousarray(rows, self.dtype))
        self.written += len(rows)

    def __exit__(self, kind, error, traceback) -> None:
        self.file.close()
        if kind is None and self.written != self.shape[0]:
            raise ValueError(f"{self.path}: {self.written} rows were written, {self.shape[0]} were announced")
