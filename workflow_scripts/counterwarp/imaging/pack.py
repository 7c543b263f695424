"""One array of the whole cohort, so that training never opens an image; and its truth, where it is known."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from counterwarp.arrays import ArrayFile
from counterwarp.cohorts.folds import folds_of, split_column
from counterwarp.errors import CounterwarpError
from counterwarp.imaging.films import FilmGrid, centre, read_prepared
from counterwarp.imaging.io import read_sidecar, read_volume
from counterwarp.imaging.normalise import network_affine
from counterwarp.imaging.resample import resample


def pack(
    labels: pd.DataFrame,
    images: dict[str, str],
    template_mask: str,
    network_shape: Sequence[int],
    network_voxel_mm: float,
    network_cut_mm: float,
    array: str,
    index: str,
    mask: str,
    affine: str,
) -> None:
    """Write the cohort's arrays.

    Args:
        labels: scan, subject, group, split, baseline and the splits of folds of every scan, in the order wanted.
        images: normalised image of each usable scan, by its name; the others are left out.
        template_mask: brain mask of the template.
        network_shape, network_voxel_mm, network_cut_mm: the network's grid (`network_affine`).
        array: (n, x, y, z) float16, the normalised images.
        index: TSV of row, scan, subject, group, split, baseline.
        mask: (x, y, z) bool, the template's brain on the grid.
        affine: JSON, 4 x 4 voxel -> world mm of the grid.

    Raises:
        CounterwarpError: no usable scan of one of the two groups.
    """
    template = read_volume(template_mask)
    grid = network_affine(template.data > 0.5, template.affine, list(network_shape), network_voxel_mm, network_cut_mm)
    rows = _usable(labels, images)
    with ArrayFile(array, np.float16, (len(rows), *network_shape)) as packed:
        for scan in rows.scan:
            packed.write(read_volume(images[scan]).data[None])
    rows.to_csv(index, sep="\t")
    inside = resample(template.data > 0.5, template.affine, tuple(network_shape), grid) >= 0.5
    np.save(mask, inside)
    with open(affine, "w") as file:
        json.dump(grid.tolist(), file)


def _usable(labels: pd.DataFrame, images: dict[str, str]) -> pd.DataFrame:
    """The index of the scans that have an image: row, scan, subject, group, split, baseline and the splits of folds.

    Raises:
        CounterwarpError: none of one of the two groups.
    """
    rows = labels[labels.scan.isin(images)].reset_index(drop=True)
    for group in ("control", "patient"):
        if group not in set(rows.group):
            raise CounterwarpError(f"no usable {group} scan is left: the logs of the scans say why")
    of_folds = [split_column(fold) for fold in folds_of(rows)]
    return rows[["scan", "subject", "group", "split", "baseline", *of_folds]].rename_axis("row")


def pack_films(
    labels: pd.DataFrame, films: dict[str, str], grid: FilmGrid, frames: str, images: str, index: str, mask: str
) -> None:
    """Write the cohort's arrays, as `pack` does for scans.

    Args:
        labels: scan, subject, group, split and baseline of every film, in the order wanted.
        films: the prepared film of each usable one, by its name; the others are left out.
        grid: of the films.
        frames: (n, edge, edge) float16, the films, from which training takes random crops.
        images: (n, crop, crop) float16, their centres, which everything else sees.
        index: TSV of row, scan, subject, group, split, baseline.
        mask: (crop, crop) bool, all of the grid.

    Raises:
        CounterwarpError: no usable film of one of the two groups.
        ScanError: a film of another size.
    """
    rows = _usable(labels, films)
    with (
        ArrayFile(frames, np.float16, (len(rows), grid.edge, grid.edge)) as whole,
        ArrayFile(images, np.float16, (len(rows), grid.crop, grid.crop)) as middle,
    ):
        for scan in rows.scan:
            film = read_prepared(films[scan], grid.edge)[None]
            whole.write(film)
            middle.write(centre(film, grid.crop))
    rows.to_csv(index, sep="\t")
    np.save(mask, np.ones((grid.crop, grid.crop), bool))


def pack_truth(
    scans: Sequence[str], maps: dict[str, str], sidecars: dict[str, str], affine: str, shape: Sequence[int], output: str
) -> None:
    """Write true maps of scans on the network's grid: (n, x, y, z) float32.

    The log-Jacobian of a change is the same number in whatever affine coordinates the change is described, as a change
    of signal is, so it is interpolated and not changed.

    Args:
        scans: in the order of the array's rows.
        maps: the true log-Jacobian of each, or its true change of signal, on the scan's own grid.
        sidecars: JSON of each scan's estimated affine, with its WorldMatrix (scanner mm -> the template's mm).
        affine: JSON of the network's grid.
        shape: of that grid.
        output: the array.
    """
    with open(affine) as file:
        grid = np.array(json.load(file))
    with ArrayFile(output, np.float32, (len(scans), *shape)) as packed:
        for scan in scans:
            truth = read_volume(maps[scan])
            world = np.array(read_sidecar(sidecars[scan])["WorldMatrix"])
            packed.write(resample(truth.data, truth.affine, tuple(shape), grid, world)[None])
