"""One subject: raw image, simulated image, their difference, and the change of volume that makes it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from counterwarp.figures.anatomy import PLANES, Volume, box, draw, overlay, place_name, strongest
from counterwarp.figures.style import DIVERGING, figure, percent


@dataclass(frozen=True)
class Subject:
    """What the figure of one scan shows.

    scan, group: its name, and control or patient. raw, simulated: normalised images, in sd of the brain's signal.
    log_jacobian: the change that the disease makes (expansion positive), also for patients. truth: the same as it truly
    is, or None. raw_logit, simulated_logit: of the classifier. All arrays (x, y, z) on the network's grid.
    """

    scan: str
    group: str
    raw: np.ndarray
    simulated: np.ndarray
    log_jacobian: np.ndarray
    truth: np.ndarray | None
    raw_logit: float
    simulated_logit: float


@dataclass(frozen=True)
class Arrays:
    """All packed scans (scans, x, y, z): images, simulated, maps, truth or None; mask (x, y, z); affine of the grid."""

    images: np.ndarray
    simulated: np.ndarray
    maps: np.ndarray
    truth: np.ndarray | None
    mask: np.ndarray
    affine: np.ndarray


def subject_figures(logits: pd.DataFrame, arrays: Arrays) -> Iterator[tuple[Subject, Figure]]:
    """The figures of a few scans of each group, with the same slices and the same colour range.

    Args:
        logits: row (of the arrays), scan, group, raw, simulated of the scans to choose from.
    """
    shown = logits.set_index("scan").loc[choose(logits)]
    maps = [arrays.maps[row] for row in shown["row"]]
    limit = range_of(maps + ([] if arrays.truth is None else [arrays.truth[row] for row in shown["row"]]), arrays.mask)
    slices = slices_of(maps, arrays.mask, arrays.affine)
    for row in shown.itertuples():
        subject = Subject(
            row.Index,
            row.group,
            arrays.images[row.row].astype(np.float32),
            arrays.simulated[row.row].astype(np.float32),
            arrays.maps[row.row],
            None if arrays.truth is None else arrays.truth[row.row],
            row.raw,
            row.simulated,
        )
        yield subject, subject_figure(subject, arrays.mask, arrays.affine, limit, slices)


def choose(logits: pd.DataFrame, each: int = 3) -> list[str]:
    """Scans that show the range of each group: evenly spaced in rank of raw logit, the extremes included.

    Args:
        logits: scan, group, raw.
        each: scans a group.
    """
    chosen = []
    for group in ("control", "patient"):
        ranked = logits[logits["group"] == group].sort_values(["raw", "scan"])["scan"].to_list()
        places = (
            np.unique(np.linspace(0, len(ranked) - 1, min(each, len(ranked))).round().astype(int)) if ranked else []
        )
        chosen += [ranked[place] for place in places]
    return chosen


def range_of(log_jacobians: list[np.ndarray], mask: np.ndarray) -> float:
    """A colour range in per cent that all figures share: the 99th percentile of absolute change, rounded up to 5."""
    values = np.concatenate([np.abs(percent(values[mask])) for values in log_jacobians])
    return float(max(5, np.ceil(np.percentile(values, 99) / 5) * 5))


def slices_of(log_jacobians: list[np.ndarray], mask: np.ndarray, affine: np.ndarray) -> list[float]:
    """The sagittal, coronal and axial slice (mm) of all figures: where the mean absolute change is strongest."""
    change = Volume.of(np.mean([np.abs(values) for values in log_jacobians], axis=0), affine)
    return [strongest(change, Volume.of(mask, affine), plane) for plane in PLANES]


def subject_figure(subject: Subject, mask: np.ndarray, affine: np.ndarray, limit: float, slices: list[float]):
    """Three planes; columns raw, simulated, difference, volume change and, where it is known, the true one.

    Args:
        mask: brain on the network's grid.
        affine: the grid's, voxels to world mm.
        limit: of the colour range of volume change, per cent.
        slices: of the sagittal, coronal and axial plane, mm.
    """
    brain = Volume.of(mask.astype(np.float32), affine)
    raw, simulated = Volume.of(subject.raw, affine), Volume.of(subject.simulated, affine)
    difference = Volume(simulated.data - raw.data, raw.affine)
    maps = [subject.log_jacobian] + ([] if subject.truth is None else [subject.truth])
    changes = [Volume.of(percent(values), affine) for values in maps]
    shown = tuple(np.percentile(raw.data[brain.data > 0.5], (1, 99)))
    widest = float(np.percentile(np.abs(difference.data[brain.data > 0.5]), 99.5)) or 1.0
    columns = 3 + len(changes)
    drawn = figure(2.2 * columns, 6.6)
    grid = drawn.subplots(3, columns)
    for row, plane, centre in zip(grid, PLANES, slices, strict=True):
        limits = box(brain, plane)
        for axes in row:
            draw(axes, simulated if axes is row[1] else raw, plane, centre, limits, shown)
        apart = overlay(row[2], difference, brain, plane, centre, "PuOr_r", widest)
        for axes, change in zip(row[3:], changes, strict=True):
            change_drawn = overlay(axes, change, brain, plane, centre, DIVERGING, limit)
        row[0].set_ylabel(place_name(plane, centre))
    other = "control" if subject.group == "patient" else "patient"
    titles = [f"raw\nlogit {subject.raw_logit:+.1f}", f"simulated as {other}\nlogit {subject.simulated_logit:+.1f}"]
    titles += ["difference\n(simulated - raw)", "change by disease,\nfrom the simulation", "change by disease,\ntrue"]
    for axes, title in zip(grid[0], titles, strict=False):
        axes.set_title(title)
    drawn.colorbar(
        apart,
        ax=grid[:, :3],
        location="bottom",
        shrink=0.5,
        aspect=35,
        extend="both",
        label=f"Signal (sd of the brain), ±{widest:.2g}",
    )
    drawn.colorbar(
        change_drawn,
        ax=grid[:, 3:],
        location="bottom",
        shrink=0.9,
        extend="both",
        label=f"Tissue volume change (%), ±{limit:.0f} %",
    )
    drawn.suptitle(f"{subject.scan}, {subject.group}", fontsize=11)
    return drawn
