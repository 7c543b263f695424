"""The packed cohort as training reads it: one array of images and the table that says what each row is."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from counterwarp.errors import CounterwarpError

GROUPS = ("control", "patient")


@dataclass(frozen=True)
class Pack:
    """All packed scans.

    Attributes:
        images: (n, *grid), float16, possibly mapped from disk.
        index: one row per image, in order: row, scan, subject, group, split, baseline.
        frames: (n, *larger grid), whose centres the images are, for random crops in training; None without.
    """

    images: np.ndarray
    index: pd.DataFrame
    frames: np.ndarray | None = None

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self.images.shape[1:]

    @property
    def patients(self) -> Tensor:
        """(n,), 1 for a patient's image and 0 for a control's."""
        return torch.tensor((self.index["group"] == "patient").to_numpy(dtype=np.float32))

    def tensor(self, rows) -> Tensor:
        """The images of these rows: (rows, 1, *grid), float32."""
        return torch.from_numpy(np.asarray(self.images[np.asarray(rows)], dtype=np.float32))[:, None]

    def crops(self, rows) -> Tensor:
        """The images of these rows as training sees them, each a random crop of its frame: as of `tensor`."""
        if self.frames is None:
            return self.tensor(rows)
        room = np.array(self.frames.shape[1:]) - self.grid
        corners = [[int(torch.randint(n + 1, ())) for n in room] for _ in rows]
        crops = [
            self.frames[(row, *(slice(start, start + n) for start, n in zip(corner, self.grid, strict=True)))]
            for row, corner in zip(rows, corners, strict=True)
        ]
        return torch.from_numpy(np.stack(crops).astype(np.float32))[:, None]

    def rows(self, split: str, group: str | None = None) -> np.ndarray:
        """Rows of a split, of both groups or of one.

        Raises:
            CounterwarpError: there is none.
        """
        chosen = self.index["split"] == split
        if group:
            chosen &= self.index["group"] == group
        if not chosen.any():
            raise CounterwarpError(
                f"the pack has no {group or 'scan'} in split {split!r}: add subjects, or look in the failures table"
            )
        return np.flatnonzero(chosen)


def read_pack(images: str | Path, index: str | Path, frames: str | Path | None = None) -> Pack:
    """Open a pack without reading the images.

    Raises:
        CounterwarpError: the images are broken off, the two files disagree, a group is unknown, or a subject is in two
            splits.
    """
    table = pd.read_csv(index, sep="\t", dtype={"scan": str, "subject": str, "group": str, "split": str})
    try:
        array = np.load(images, mmap_mode="r")
    except ValueError as error:
        # A result from a shared cache is a link into it.
        files = " and ".join(dict.fromkeys([str(images), os.path.realpath(images)]))
        raise CounterwarpError(f"{images} is no whole array ({error}): delete {files}, run again") from error
    if len(array) != len(table):
        raise CounterwarpError(f"{images} has {len(array)} images but {index} has {len(table)} rows: pack again")
    unknown = set(table["group"]) - set(GROUPS)
    if unknown:
        raise CounterwarpError(f"{index}: group {sorted(unknown)} is not one of {GROUPS}")
    splits = table.groupby("subject")["split"].nunique()
    if (splits > 1).any():
        leaked = ", ".join(splits.index[splits > 1][:5])
        raise CounterwarpError(f"{index}: the scans of {leaked} are in more than one split: split by subject")
    return Pack(array, table, np.load(frames, mmap_mode="r") if frames else None)
