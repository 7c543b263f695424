"""The resume file of a training: whenever the job dies, the next one goes on where the file was last written."""

import hashlib
import json
import logging
import os
from pathlib import Path

import numpy as np
import torch

from counterwarp.arrays import Rows, blocks

LOG = logging.getLogger("counterwarp")


def fingerprint(settings: dict, *arrays: np.ndarray | Rows) -> str:
    """Digest of what a training depends on: its settings (anything JSON can write) and its data."""
    total = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for array in arrays:
        total.update(f"{array.dtype}{array.shape}".encode())
        for block in blocks(array if array.shape else array[None]):
            total.update(np.ascontiguousarray(block).tobytes())
    return total.hexdigest()


class ResumeFile:
    """State of an unfinished training on disk.

    Args:
        path: of the file; it must not be an output of the rule, because Snakemake deletes those of a failed job.
        origin: the fingerprint; a file with another one belongs to another training and is ignored.
        parts: name -> object with state_dict and load_state_dict (network, optimiser, scheduler).
    """

    def __init__(self, path: str | Path, origin: str, parts: dict):
        self.path, self.origin, self.parts = Path(path), origin, parts

    def save(self, progress: dict) -> None:
        """Write the parts, the state of torch's generators and `progress` (numbers, text, lists, dicts, tensors).

        The file is replaced in one move after it has reached the disk, so a reader finds the old or the new one.
        """
        state = {
            "origin": self.origin,
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "progress": progress,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(self.path.name + ".unfinished")
        with open(unfinished, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self.path)

    def restore(self) -> dict | None:
        """Load the parts and the generators; returns the progress saved, or None where there is nothing to resume."""
        if not self.path.exists():
            return None
        try:
            # weights_only: a pickle could run code.
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:
            LOG.warning("%s cannot be read (%s): training starts anew", self.path, error)
            return None
        if state["origin"] != self.origin:
            LOG.warning("%s is of other settings or data: training starts anew", self.path)
            return None
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        torch.set_rng_state(state["random"])
        if state["random_cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["random_cuda"])
        LOG.info("resumes from %s", self.path)
        return state["progress"]

    def remove(self) -> None:
        """To be called when the training's results are safe."""
        self.path.unlink(missing_ok=True)
