"""Films, which are chest X-rays or other 2-D images: read one, cut and scale it for the networks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from PIL import Image, UnidentifiedImageError

from counterwarp.errors import ConfigError, ScanError, UnreadableError
from counterwarp.imaging.io import open_slice, write_sidecar, written_by_a_step

# A 16-bit PNG holds -1 to 1.
DEEPEST = 65535
GREY_MODES = {"L", "I;16", "I;16B", "I;16L", "I"}
DICOM_SUFFIXES = {".dcm", ".dicom", ""}
NIFTI_SUFFIXES = (".nii", ".nii.gz")
# What DICOM's View Position may say of a posteroanterior film; many say nothing.
FRONTAL_VIEWS = {"", "PA"}
# Rows and columns of a pixel may differ by this share of its edge before a square crop is no square on the patient.
PIXEL_TOLERANCE = 0.01


@dataclass(frozen=True)
class FilmGrid:
    """Edge of a prepared film and of its centre, which the networks see, pixels."""

    edge: int
    crop: int

    def __post_init__(self):
        if self.crop > self.edge:
            raise ConfigError(
                [f"preprocess.films.crop: {self.crop} is above edge, {self.edge}; a crop is a part of the film"]
            )


def read_film(path: str | Path) -> np.ndarray:
    """The grey values of a film: (rows, columns) float32, from the top and the left; X-rays brighter where denser.

    Args:
        path: PNG of 8 or 16 bits, a DICOM file (.dcm, .dicom or no suffix) or one slice as NIfTI (.nii or .nii.gz).

    Raises:
        ScanError: missing, not readable, colour, more than one frame or slice, another view than PA, pixels that are
            not square, or one value everywhere.
    """
    if not Path(path).is_file():
        raise ScanError(f"{path}: no such file; correct its path in the table of films or exclude the film")
    values = _reader(Path(path).name.lower())(path)
    if values.min() == values.max():
        raise ScanError(f"{path}: every pixel is {values.flat[0]:g}; replace this empty film or exclude it")
    return values


def _reader(name: str) -> Callable[[str | Path], np.ndarray]:
    if name.endswith(NIFTI_SUFFIXES):
        return _read_nifti
    return _read_dicom if Path(name).suffix in DICOM_SUFFIXES else _read_png


def _read_nifti(path) -> np.ndarray:
    """As DICOM shows the same slice: the patient's left, or back, at the right; the front, or the head, at the top."""
    image = nib.as_closest_canonical(open_slice(path))
    _check_square(path, *voxel_sizes(image.affine)[np.array(image.shape) > 1])
    return np.asanyarray(image.dataobj).squeeze()[::-1, ::-1].T


def _read_png(path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        if getattr(error, "errno", None):  # the disk's fault, not the file's: another try may help
            raise
        raise UnreadableError(
            f"{path}: not a readable PNG ({error}); export it again, as PNG, DICOM or NIfTI"
        ) from error
    if image.mode not in GREY_MODES:
        raise ScanError(f"{path}: a picture of mode {image.mode}, not grey values of 8 or 16 bits; export it as grey")
    return np.asarray(image, np.float32)


def _read_dicom(path) -> np.ndarray:
    """Stored values after the modality's rescale; MONOCHROME1, in which 0 is white, comes turned round from ITK."""
    import SimpleITK as sitk  # noqa: N813 - its customary name

    with open(path, "rb"):  # the disk's fault is not the file's: another try may help
        pass
    film = sitk.ImageFileReader()
    film.SetImageIO("GDCMImageIO")
    film.SetFileName(str(path))
    try:
        film.ReadImageInformation()
        _check_dicom(path, film)
        values = sitk.GetArrayFromImage(film.Execute())[0].astype(np.float32)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ScanError(f"{path}: no film can be read ({reason}); export it as DICOM or PNG") from error
    return values


def _element(film, tag: str) -> str:
    """A DICOM element ("group|element") as text, empty where the file has none."""
    return film.GetMetaData(tag).strip("\0 ") if film.HasMetaDataKey(tag) else ""


def _check_dicom(path, film) -> None:
    interpretation = _element(film, "0028|0004")
    if interpretation not in ("MONOCHROME1", "MONOCHROME2"):
        raise ScanError(f"{path}: photometric interpretation {interpretation}, not grey values; export it as grey")
    columns, rows, frames = film.GetSize()
    if frames != 1:
        raise ScanError(f"{path}: {frames} x {rows} x {columns} values, not one film; give one frame")
    view = _element(film, "0018|5101").upper()
    if view not in FRONTAL_VIEWS:
        raise ScanError(f"{path}: view position {view}, not PA; correct the view in the table of films")
    spacing = [float(edge) for edge in (_element(film, "0028|0030") or _element(film, "0018|1164")).split("\\") if edge]
    if spacing:
        _check_square(path, *spacing[:2])


def _check_square(path, first: float, second: float) -> None:
    if abs(first / second - 1) > PIXEL_TOLERANCE:
        raise ScanError(
            f"{path}: pixels of {first:g} x {second:g} mm, so that a square crop is none on the patient; "
            "resample the film to square pixels"
        )


def centre_square(film: np.ndarray) -> np.ndarray:
    """The largest square about the centre of a film (rows, columns)."""
    return centre(film, min(film.shape))


def centre(values: np.ndarray, edge: int) -> np.ndarray:
    """The part of `edge` pixels in the middle of the last two axes."""
    rows, columns = ((n - edge) // 2 for n in values.shape[-2:])
    return values[..., rows : rows + edge, columns : columns + edge]


def equalise(film: np.ndarray) -> np.ndarray:
    """Histogram equalisation: each value becomes its share of the pixels below it, -1 to 1.

    v -> 2 (pixels below v + half of those equal to v) / pixels - 1.
    """
    _, place, counts = np.unique(film, return_inverse=True, return_counts=True)
    share = (np.cumsum(counts) - counts / 2) / film.size
    return (2 * share[place].reshape(film.shape) - 1).astype(np.float32)


def prepare_film(path: str, image: str, sidecar: str, edge: int) -> None:
    """Write a film's centre square, resized and equalised.

    Args:
        path: of the film, see `read_film`.
        image: output PNG of 16 bits, `edge` x `edge`; 0 to 65535 stand for -1 to 1.
        sidecar: its JSON.
        edge: pixels.

    Raises:
        ScanError: what `read_film` refuses.
    """
    square = Image.fromarray(centre_square(read_film(path)))
    # Pillow's filter grows with the pixels that it brings together, so that fine texture does not alias.
    resized = np.asarray(square.resize((edge, edge), Image.Resampling.BILINEAR))
    write_film(equalise(resized), image)
    write_sidecar(
        sidecar,
        sources=[path],
        space="film",
        tools=("nibabel", "pillow", "simpleitk"),
        Description="Centre square of the film, resized, histogram equalised",
        Units="share of darker pixels: values of 0 to 65535 stand for -1 to 1",
    )


def write_film(values: np.ndarray, path: str | Path) -> None:
    """Write values from -1 to 1 (rows, columns) as a PNG of 16 bits."""
    stored = np.rint((np.clip(values, -1, 1) + 1) / 2 * DEEPEST).astype(np.uint16)
    Image.fromarray(stored).save(path, format="PNG")


def read_prepared(path: str | Path, edge: int) -> np.ndarray:
    """A film of `prepare_film`: (edge, edge) float32, -1 to 1.

    Raises:
        ScanError: it is not square, or of another size.
        BrokenFileError: it cannot be read.
    """
    with written_by_a_step(path):
        values = _read_png(path)
    if values.shape != (edge, edge):
        shape = " x ".join(map(str, values.shape))
        raise ScanError(f"{path}: {shape} pixels, not {edge} x {edge}: prepare the film again")
    return values / DEEPEST * 2 - 1
