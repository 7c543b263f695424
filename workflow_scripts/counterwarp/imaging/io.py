"""Read and write one image, with what can be wrong with it said in one sentence."""

import json
import math
import os
import platform
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile
from importlib.metadata import version
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from counterwarp import __version__
from counterwarp.errors import BrokenFileError, ScanError, UnreadableError

# Product of the edges, in the header's unit, which may be metres.
SMALLEST_VOXEL = 1e-12
# NIfTI's codes for what the world coordinates mean; 5 is a template without a code of its own.
SPACES = {"scanner": 1, "MNI152": 4, "SRI24": 5}
# What a table of films may hold and one of scans may not.
PICTURE_SUFFIXES = {".png", ".dcm", ".dicom"}
READS_2D = "which reads 2-D images"


@dataclass(frozen=True)
class Volume:
    """One image.

    Attributes:
        data: (x, y, z) float32.
        affine: 4 x 4, voxel -> world mm (RAS).
    """

    data: np.ndarray
    affine: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each axis."""
        return self.data.shape

    @property
    def voxel_mm(self) -> np.ndarray:
        """Voxel edge along each axis, mm."""
        return voxel_sizes(self.affine)


def open_image(path: str | Path) -> nib.Nifti1Image:
    """Open an image and read all of it.

    Returns:
        An image of three axes, float32 in memory, with its own header; a fourth axis of length one is dropped.

    Raises:
        ScanError: missing file, no image, truncated, not numeric, not one three-dimensional volume, not finite,
            or without a usable position in its header.
    """
    return _open(path, _one_volume)


def open_slice(path: str | Path) -> nib.Nifti1Image:
    """Open a slice: an image as of `open_image`, one of whose three axes has length one.

    Raises:
        ScanError: what `open_image` refuses, and a volume.
    """
    return _open(path, _one_slice)


def _open(path, shaped: Callable[[np.ndarray, str | Path], np.ndarray]) -> nib.Nifti1Image:
    image = _load(path)
    _check_voxel_size(image, path)
    if not np.isfinite(image.affine).all() or abs(np.linalg.det(image.affine[:3, :3])) < SMALLEST_VOXEL:
        matrix = np.round(image.affine[:3], 3).tolist()
        raise ScanError(f"{path}: the header gives no usable position, {matrix}; correct its sform or exclude the scan")
    data = shaped(np.asarray(_read(image, path)), path)
    bad = np.argwhere(~np.isfinite(data))
    if len(bad):
        first = tuple(int(i) for i in bad[0])
        raise ScanError(
            f"{path}: {len(bad)} voxels are not finite ({data[first]} at {first}); repair or exclude the scan"
        )
    return nib.Nifti1Image(data, image.affine, image.header)


def read_volume(path: str | Path) -> Volume:
    """Read an image that a step wrote; see `open_image` for what is refused.

    Raises:
        BrokenFileError: it cannot be read.
    """
    with written_by_a_step(path):
        return as_volume(open_image(path))


def as_volume(image: nib.Nifti1Image) -> Volume:
    """An image of `open_image`."""
    return Volume(np.asanyarray(image.dataobj), image.affine)


@contextmanager
def written_by_a_step(path: str | Path) -> Iterator[None]:
    """Where reading fails, say so of the file and not of the scan: once it is made again the scan is as good as before.

    Raises:
        BrokenFileError: the file cannot be read.
    """
    try:
        yield
    except UnreadableError as error:
        raise BrokenFileError(f"{error}; {_made_again(path)}") from error
    except (ImageFileError, EOFError, zlib.error, ValueError, BadGzipFile) as error:
        raise BrokenFileError(f"{path}: not readable ({_first_line(error)}); {_made_again(path)}") from error


def _made_again(path: str | Path) -> str:
    # A result from a shared cache is a link into it.
    files = " and ".join(dict.fromkeys([str(path), os.path.realpath(path)]))
    return f"where Counterwarp made it, delete {files}, run again"


def _load(path) -> nib.Nifti1Image:
    if not os.path.isfile(path):
        raise ScanError(f"{path}: no such file; correct its path in the table of scans or exclude the scan")
    if not os.access(path, os.R_OK):
        raise UnreadableError(f"{path}: no permission to read it; ask its owner for it, or exclude the scan")
    try:
        return nib.load(path)
    except (ImageFileError, HeaderDataError, EOFError, zlib.error, ValueError) as error:
        is_picture = Path(path).suffix.lower() in PICTURE_SUFFIXES
        remedy = f"set cohort.source to films, {READS_2D}" if is_picture else "copy or convert it again"
        raise UnreadableError(f"{path}: not a readable image ({_first_line(error)}); {remedy}") from error


def stored_header(image) -> nib.Nifti1Header | None:
    """The header of a NIfTI as its file has it, before nibabel puts it right; None of another kind of file."""
    if not isinstance(image, nib.Nifti1Pair):
        return None
    file = image.file_map["header" if "header" in image.file_map else "image"]
    with file.get_prepare_fileobj("rb") as opened:
        return type(image.header).from_fileobj(opened, check=False)


def _check_voxel_size(image, path) -> None:
    """nibabel takes an edge of 0 for 1 mm; where no sform gives another, that would be a guess."""
    header = stored_header(image)
    if header is None:
        return
    edges = header["pixdim"][1:4]
    if not header["sform_code"] and not (edges > 0).all():
        size = " x ".join(f"{edge:g}" for edge in edges)
        raise ScanError(f"{path}: the header gives a voxel size of {size}; correct it or exclude the scan")


def _read(image, path) -> np.ndarray:
    kind = image.get_data_dtype()
    if kind.fields is not None or kind.kind not in "iuf":
        raise ScanError(f"{path}: voxels are of type {kind}; convert the image to one number per voxel")
    try:
        return image.get_fdata(dtype=np.float32, caching="unchanged")
    except (OSError, EOFError, zlib.error, ValueError) as error:
        if getattr(error, "errno", None):  # the disk's fault, not the file's: another try may help
            raise
        raise UnreadableError(f"{path}: truncated or damaged ({_first_line(error)}); copy it again") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _one_volume(data: np.ndarray, path) -> np.ndarray:
    shape = data.shape
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim > 3:
        raise ScanError(f"{path}: {data.ndim}-D image of shape {shape}; give one volume, for example the mean")
    if data.ndim < 3 or min(data.shape) < 2:
        raise ScanError(
            f"{path}: {data.ndim}-D image of shape {shape}; give a three-dimensional scan, or set cohort.source to "
            f"films, {READS_2D}"
        )
    return data


def _one_slice(data: np.ndarray, path) -> np.ndarray:
    shape = (*data.shape, 1)[:3]
    if sum(n > 1 for n in shape) != 2 or math.prod(shape) != data.size:
        raise ScanError(
            f"{path}: image of shape {data.shape}, not one slice; give one slice of it, or set cohort.source to table, "
            "which reads volumes"
        )
    return data.reshape(shape)


def write_image(data: np.ndarray, affine: np.ndarray, path: str | Path, space: str) -> None:
    """Write a NIfTI in mm whose qform and sform agree.

    Args:
        data: (x, y, z); bool is written as uint8, floats as float32.
        affine: voxel -> world mm (RAS).
        path: ends in .nii.gz.
        space: one of SPACES, what the world coordinates are.
    """
    data = np.asarray(data)
    kind = np.uint8 if data.dtype == bool else np.float32 if data.dtype.kind == "f" else data.dtype
    image = nib.Nifti1Image(data.astype(kind), affine)
    image.set_qform(affine, SPACES[space])
    image.set_sform(affine, SPACES[space])
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def write_sidecar(path: str | Path, *, sources: list[str], space: str, tools: tuple[str, ...] = (), **facts) -> None:
    """Write the JSON beside an image: where it comes from and what its numbers mean.

    Args:
        path: ends in .json.
        sources: the files it was made from.
        space: the world coordinates, one of SPACES.
        tools: packages that made it, beside counterwarp itself, and "FSL".
        facts: anything else, named as in BIDS (Units, Direction, Description, ...).
    """
    versions = {"counterwarp": __version__} | {tool: _version(tool) for tool in tools}
    content = {"Sources": [str(source) for source in sources], "Space": space, **facts, "SoftwareVersions": versions}
    Path(path).write_text(json.dumps(content, indent=1) + "\n")


def _version(tool: str) -> str:
    """Of a package, or of FSL, which says its own in a file.

    Raises:
        OSError: FSL is not there, which is the fault of the machine and of no scan.
    """
    if tool != "FSL":
        return version(tool)
    if not os.environ.get("FSLDIR"):
        raise OSError(f"FSLDIR is not set on {platform.node()}: see docs/engines.md")
    return (Path(os.environ["FSLDIR"]) / "etc/fslversion").read_text().strip()


def read_sidecar(path: str | Path) -> dict:
    """The content of a JSON side-car.

    Raises:
        BrokenFileError: it cannot be read.
    """
    with written_by_a_step(path):
        return json.loads(Path(path).read_text())


def write_dataset_description(path: str | Path, name: str) -> None:
    """Write the dataset_description.json that makes a folder a BIDS derivative."""
    facts = {
        "Name": name,
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "counterwarp", "Version": __version__}],
    }
    Path(path).write_text(json.dumps(facts, indent=1) + "\n")
