"""Brain masks of the user's own: found beside each scan, or named in the table."""

import os
from pathlib import Path

import pandas as pd

from counterwarp.errors import ConfigError

ENDS = ("desc-brain_mask.nii.gz", "desc-brain_mask.nii")


def with_masks(scans: pd.DataFrame, folder: str, cohort: dict) -> pd.DataFrame:
    """The table of scans with the path of each scan's own brain mask, in the scan's own space.

    Args:
        scans: of `table.finish`.
        folder: preprocess.strip.masks: BIDS derivatives; empty for the table's own column `mask`.
        cohort: that section of the configuration.

    Raises:
        ConfigError: every scan without a mask, or with several.
    """
    if folder:
        found = [_in_derivatives(Path(folder).expanduser(), row.folder, row.scan) for row in scans.itertuples()]
    elif "mask" in scans:
        found = [_in_table(Path(cohort["path"]).parent, row.mask, row.scan) for row in scans.itertuples()]
    else:
        raise ConfigError(
            [
                "preprocess.strip.engine: mask, but the table of scans has no column mask; add one, or name the folder "
                "of BIDS derivatives that holds the masks in preprocess.strip.masks"
            ]
        )
    problems = [problem for _, problem in found if problem]
    if problems:
        raise ConfigError(problems)
    return scans.assign(mask=[path for path, _ in found])


def _in_derivatives(folder: Path, subfolder: str, scan: str) -> tuple[str, str]:
    """Path, or what is wrong."""
    place = folder / subfolder / "anat"
    found = [
        path
        for path in sorted(place.glob(f"{scan}_*"))
        if path.name.endswith(ENDS) and "_space-" not in path.name  # another space than the scan's
    ]
    if len(found) == 1:
        return str(found[0]), ""
    if found:
        return "", f"{scan}: several masks in {place}: {', '.join(path.name for path in found)}; keep one"
    return "", f"{scan}: no mask {place}/{scan}_{ENDS[0]}; add it, or exclude the scan"


def _in_table(folder: Path, name: str, scan: str) -> tuple[str, str]:
    """Path, or what is wrong."""
    full = (folder / name).resolve()
    if not name or not full.is_relative_to(folder.resolve()):
        return "", f"{scan}: mask {name!r} leaves the folder of the table; give a path inside it"
    if not os.path.isfile(full):
        return "", f"{scan}: no mask {full}; correct the path or exclude the scan"
    return str(folder / name), ""
