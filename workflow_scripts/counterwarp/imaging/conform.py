"""Conform a scan: one volume in RAS voxel order, with a header that every tool reads alike."""

import logging

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.spaces import vox2out_vox
from nibabel.spatialimages import HeaderDataError

from counterwarp.errors import ScanError
from counterwarp.imaging.fsl import reorient_and_crop
from counterwarp.imaging.io import Volume, open_image, stored_header, write_image, write_sidecar
from counterwarp.imaging.resample import corners, resample, shear

LOG = logging.getLogger("counterwarp")
# Right angles are stored as float32, and some scanners round them to three digits.
SHEAR_ALLOWED = 1e-3
NEGATIVE_IS_RINGING = 0.05
# A head lies in air, which is dark.
LEFT_OR_RIGHT, INVERTED = "check left and right", "contrast may be inverted"
# No scanner of heads sees further.
LARGEST_FIELD_OF_VIEW_MM = 1000
AXES = ("right-left", "posterior-anterior", "inferior-superior")
# By their codes in xyzt_units of NIfTI; others mean mm, or nothing.
OTHER_UNITS = {1: "meter", 3: "micron"}


def conform(path: str, image: str, sidecar: str, minimum_field_of_view_mm: float, engine: str = "nibabel") -> None:
    """Conform the scan at `path`; write it and its JSON side-car, which lists the warnings.

    Args:
        path: the scan.
        image, sidecar: outputs.
        minimum_field_of_view_mm: along each axis, before the neck is cut off.
        engine: nibabel; or fsl, whose programs then take what nibabel gives, a header that all tools read alike.

    Raises:
        ScanError: what `conform_volume` refuses, or FSL gives up.
    """
    volume, warnings = conform_volume(path, minimum_field_of_view_mm)
    for warning in warnings:
        LOG.warning("%s: %s", path, warning)
    commands = []
    if engine == "fsl":
        volume, commands = reorient_and_crop(volume)
    write_image(volume.data, volume.affine, image, "scanner")
    write_sidecar(
        sidecar,
        sources=[path],
        space="scanner",
        tools=("nipype", "FSL") if engine == "fsl" else ("nibabel",),
        Description="Scan in RAS voxel order, non-negative; values otherwise as received",
        Engine=engine,
        CommandLines=commands,
        Warnings=warnings,
    )


def conform_volume(path: str, minimum_field_of_view_mm: float) -> tuple[Volume, list[str]]:
    """The conformed scan, and what had to be changed or doubted, a sentence each.

    Returns:
        volume: RAS voxel order (oblique headers stay oblique), no shear, non-negative values.
        warnings: may be empty.

    Raises:
        ScanError: what `open_image` refuses, an image of one value, or a field of view below the minimum along
            an axis.
    """
    image = open_image(path)
    values = np.asanyarray(image.dataobj)
    if values.min() == values.max():
        raise ScanError(f"{path}: every voxel is {values.flat[0]:g}; replace this empty image or exclude the scan")
    volume, reoriented = _straight(Volume(values, image.affine))
    extent = np.array(volume.shape) * volume.voxel_mm
    unit = OTHER_UNITS.get(int(image.header["xyzt_units"]) % 8)
    said = f"the header gives it in {unit}, not mm; " if unit else ""
    if extent.max() > LARGEST_FIELD_OF_VIEW_MM:
        axis = AXES[int(extent.argmax())]
        raise ScanError(
            f"{path}: field of view {extent.max():.0f} mm {axis}, above {LARGEST_FIELD_OF_VIEW_MM} mm; "
            f"{said}correct the voxel size in the header or exclude the scan"
        )
    if extent.min() < minimum_field_of_view_mm:
        axis = AXES[int(extent.argmin())]
        raise ScanError(
            f"{path}: field of view {extent.min():.1f} mm {axis}, below preprocess.minimum_field_of_view_mm = "
            f"{minimum_field_of_view_mm:g}; {said}check the voxel size in the header, lower the minimum or "
            "exclude the scan"
        )
    data, negative = _non_negative(volume.data)
    # A size that is a head's in mm was meant so.
    of_unit = [f"the header gives the voxel size in {unit}: it was taken as mm"] if unit else []
    return Volume(data, volume.affine), (
        header_warnings(image, path) + of_unit + reoriented + negative + _inverted(data)
    )


def header_warnings(image: nib.Nifti1Image, path: str) -> list[str]:
    """Where the header of the image at `path` leaves doubt about the position of its voxels, a sentence each.

    ITK reads the qform and nibabel the sform. Here the sform counts where it is set, then the qform; where neither is
    set there is only nibabel's guess.
    """
    sform, s_code = image.get_sform(coded=True)
    qform, q_code = _qform(image)
    if not s_code and not q_code:
        return [f"header has neither qform nor sform: the axes are a guess; {LEFT_OR_RIGHT}"]
    if not s_code:
        return _handedness_of_qform(nib.load(path))
    if q_code and np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0:
        return [f"qform and sform are mirror images of each other: the sform was used; {LEFT_OR_RIGHT}"]
    if q_code and shear(sform) <= SHEAR_ALLOWED:
        apart = np.linalg.norm(corners(image.shape, sform) - corners(image.shape, qform), axis=1).max()
        if apart > 0.1 * voxel_sizes(sform).min():
            return [f"qform and sform disagree by up to {apart:.1f} mm: the sform was used"]
    return []


def _handedness_of_qform(image: nib.Nifti1Image) -> list[str]:
    """A quaternion turns and never mirrors: which hand the axes are of stands in pixdim[0] alone, as 1 or -1."""
    header = stored_header(image)
    if header is None or abs(header["pixdim"][0]) == 1:
        return []
    return [
        f"header has a qform alone, with {header['pixdim'][0]:g} in pixdim[0] for its handedness: 1 was taken; "
        f"{LEFT_OR_RIGHT}"
    ]


def _qform(image: nib.Nifti1Image) -> tuple[np.ndarray | None, int]:
    """A quaternion that is no rotation counts as none."""
    try:
        return image.get_qform(coded=True)
    except (ValueError, HeaderDataError):
        return None, 0


def _inverted(data: np.ndarray) -> list[str]:
    """The corners of the field of view are air; air that is brighter than the head is doubted."""
    size = [max(1, n // 8) for n in data.shape]
    corner = np.ix_(*[[*range(n), *range(-n, 0)] for n in size])
    level, rest = float(np.median(data[corner])), float(data.mean())
    if level <= rest + 0.5 * float(data.std()):
        return []
    return [f"the corners ({level:g}) are brighter than the rest (mean {rest:g}): {INVERTED}"]


def _straight(volume: Volume) -> tuple[Volume, list[str]]:
    """Voxel axes in RAS order and at right angles."""
    if shear(volume.affine) > SHEAR_ALLOWED:
        shape, affine = vox2out_vox((volume.shape, volume.affine), volume.voxel_mm)
        data = resample(volume.data, volume.affine, shape, affine)
        return Volume(data, affine), ["voxel axes are not at right angles (sheared header): the scan was resampled"]
    image = nib.as_closest_canonical(nib.Nifti1Image(volume.data, volume.affine))
    return Volume(np.asanyarray(image.dataobj), image.affine), []


def _non_negative(data: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Bias correction takes logarithms: ringing below zero is cut, an offset below zero is taken off."""
    low = float(data.min())
    if low >= 0:
        return data, []
    if -low <= NEGATIVE_IS_RINGING * float(np.percentile(data, 99)):
        return np.maximum(data, 0), [f"negative values down to {low:g} were set to 0"]
    return data - low, [f"negative values down to {low:g}: {-low:g} was added to every voxel"]
