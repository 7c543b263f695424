"""The packed cohort as training reads it: one array of images and the table that says what each row is."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from counterwarp.arrays import Rows, blocks, release
from counterwarp.cohorts.folds import split_column
from counterwarp.errors import CounterwarpError
from counterwarp.tsv import read_tsv

GROUPS = ("control", "patient")
# Of a GPU's free memory, the share that one selection of images may take for good.
RESIDENT = 0.4


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
        """The images of these rows: (rows, 1, *grid), float32. For few of them: `stream` reads more."""
        return torch.from_numpy(Rows(self.images, rows)[:]).float()[:, None]

    def stream(self, rows, device: torch.device) -> "Images":
        """The images of these rows, read when they are asked for."""
        return Images(Rows(self.images, rows), device)

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
        images = torch.from_numpy(np.stack(crops).astype(np.float32))[:, None]
        release(self.frames)
        return images

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

    def explained(self, fold: int | None) -> np.ndarray:
        """Rows of the scans that the networks of a fold explain: those whom they never saw; without folds, of all."""
        return np.arange(len(self.images)) if fold is None else self.rows("test")


class Images:
    """Images of a pack that are used like a tensor (n, 1, *grid) of float32, of which only what is asked for is made.

    They stay on disk, packed; on a GPU with room for them, there.

    Args:
        packed: (n, *grid), float16.
        device: where images are wanted.
    """

    def __init__(self, packed: Rows, device: torch.device):
        self.packed, self.device, self.resident = packed, device, None
        if device.type == "cuda" and self._bytes() < RESIDENT * torch.cuda.mem_get_info(device)[0]:
            self.resident = torch.cat([torch.from_numpy(block).to(device) for block in blocks(packed)])

    def _bytes(self) -> int:
        return self.packed.dtype.itemsize * int(np.prod(self.packed.shape))

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, chosen: Tensor) -> Tensor:
        """These of the n images: (chosen, 1, *grid), float32, on the device."""
        if self.resident is not None:
            return self.resident[chosen.to(self.device)].float()[:, None]
        return torch.from_numpy(self.packed[chosen.cpu().numpy()]).to(self.device).float()[:, None]

    def split(self, size: int) -> Iterator[Tensor]:
        """All images in order, `size` at a time."""
        return (self[chosen] for chosen in torch.arange(len(self)).split(size))


def read_pack(images: str | Path, index: str | Path, frames: str | Path | None = None, fold: int | None = None) -> Pack:
    """Open a pack without reading the images.

    Args:
        images, index, frames: files of the pack.
        fold: whose split becomes the pack's; None where there is one split.

    Raises:
        CounterwarpError: the images are broken off, the two files disagree, a group is unknown, or a subject is in two
            splits.
    """
    table = read_tsv(index)
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
    table["split"] = table[split_column(fold)]
    splits = table.groupby("subject")["split"].nunique()
    if (splits > 1).any():
        leaked = ", ".join(splits.index[splits > 1][:5])
        raise CounterwarpError(f"{index}: the scans of {leaked} are in more than one split: split by subject")
    return Pack(array, table, np.load(frames, mmap_mode="r") if frames else None)
