"""Displacement fields of ITK between a scan, affinely on the template, and the template: made by SyN, applied here."""

import shutil
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from scipy.ndimage import affine_transform, map_coordinates

from counterwarp.errors import CounterwarpError
from counterwarp.imaging.ants import Stage, own_folder, run_registration
from counterwarp.imaging.io import read_volume, write_image, write_sidecar, written_by_a_step
from counterwarp.imaging.resample import at_least, blur

# Fields are smooth: finer voxels cost minutes and gigabytes and do not change them.
WORKING_MM = 2.0
# Brain to brain, after the affine, by effort. Quick: on simulated brains a step of 0.4 with 3 full-resolution
# iterations finds regions as well as one of 0.2 with 10, in half the time. Full: squared differences of signals that
# are scaled alike bring the template's ventricles to the size of enlarged ones, of which cross-correlation in twice the
# time reaches less (docs/engines.md).
SYN = {
    "quick": Stage("SyN[0.4,3,0]", "MI[{fixed},{moving},1,32]", "30x20x3", "4x2x1", "2x1x0"),
    "full": Stage("SyN[0.4,3,0]", "MeanSquares[{fixed},{moving},1,0]", "100x100x60", "6x4x2", "2x1x0.5"),
}
# Of the signal in the brain: what becomes 0 and 1.
PERCENTILES = 2, 98
# The darkest fluid still differs from the background, and nothing is brighter than this.
FLOOR, CEILING = 0.2, 1.2


@dataclass(frozen=True)
class Field:
    """A pull-back: the output at p takes its value from p + displacement(p).

    Attributes:
        displacement: (x, y, z, 3) float32, mm along the RAS axes of the world.
        affine: 4 x 4, voxel -> world mm (RAS), of the grid of the output.
    """

    displacement: np.ndarray
    affine: np.ndarray

    def on(self, shape: tuple[int, int, int], affine: np.ndarray) -> "Field":
        """The same field on another grid of the same world; beyond its border the border's displacement goes on."""
        if self.displacement.shape[:3] == tuple(shape) and np.allclose(self.affine, affine):
            return self
        steps = np.linalg.inv(self.affine) @ affine
        parts = [
            affine_transform(part, steps[:3, :3], steps[:3, 3], tuple(shape), order=1, mode="nearest")
            for part in np.moveaxis(self.displacement, -1, 0)
        ]
        return Field(np.stack(parts, -1), affine)

    def sources(self) -> np.ndarray:
        """World point from which each voxel takes its value, (x, y, z, 3) mm."""
        grid = np.stack(np.meshgrid(*[np.arange(n) for n in self.displacement.shape[:3]], indexing="ij"), -1)
        return grid @ self.affine[:3, :3].T + self.affine[:3, 3] + self.displacement


def read_field(path: str) -> Field:
    """Read ITK's NIfTI (x, y, z, 1, 3), whose vectors are LPS.

    Raises:
        BrokenFileError: it cannot be read.
    """
    with written_by_a_step(path):
        image = nib.load(path)
        vectors = np.asarray(image.dataobj, np.float32)[:, :, :, 0, :]
    return Field(vectors * np.array([-1, -1, 1], np.float32), image.affine)


def carry(data: np.ndarray, affine: np.ndarray, field: Field) -> np.ndarray:
    """The image (x, y, z) on the grid of a field, moved by it; linear, 0 outside the image.

    Values are carried as they are: no factor for the volume change of the field itself. An image of finer voxels than
    the field's is blurred to them first.
    """
    to_voxel = np.linalg.inv(affine)
    smooth = blur(np.asarray(data, np.float32), to_voxel @ field.affine)
    points = field.sources() @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    return map_coordinates(smooth, np.moveaxis(points, -1, 0), order=1, mode="constant").astype(np.float32)


def log_volume(field: Field) -> np.ndarray:
    """log det of D(p + displacement(p)), (x, y, z): how much larger the scan's tissue is than the template's.

    The classical map of tensor-based morphometry, for a field that brings images of the scan to the template: a voxel
    there takes its value from a piece of the scan that is det times as large. Derivatives are along the world's axes,
    by central differences (one-sided at the border).

    Raises:
        CounterwarpError: the field folds.
    """
    along_voxels = np.stack(np.gradient(field.displacement, axis=(0, 1, 2)), -1)
    determinant = np.linalg.det(np.eye(3) + along_voxels @ np.linalg.inv(field.affine[:3, :3]))
    if determinant.min() <= 0:
        raise CounterwarpError(f"a registration to the template folds: smallest determinant {determinant.min():.3g}")
    return np.log(determinant)


def scaled_alike(brain: np.ndarray) -> np.ndarray:
    """A skull-stripped brain (x, y, z) whose signal runs from about FLOOR to 1 + FLOOR, 0 outside it."""
    inside = brain > 0
    low, high = np.percentile(brain[inside], PERCENTILES) if inside.any() else (0.0, 1.0)
    return np.where(inside, np.clip((brain - low) / max(high - low, 1e-9), 0, CEILING) + FLOOR, 0).astype(np.float32)


def register_nonlinear(
    path: str,
    template: str,
    warp: str,
    inverse: str,
    warp_sidecar: str,
    inverse_sidecar: str,
    effort: str,
    seed: int,
    space: str,
) -> None:
    """SyN of a brain in the template's space to the template.

    Args:
        path: the preprocessed brain, affinely in that space.
        template: skull-stripped T1.
        warp: field that brings images of the scan to the template; on the template's grid, or one of 2 mm if that is
            finer.
        inverse: field that brings images of the template to the scan; likewise.
        warp_sidecar, inverse_sidecar: their JSON.
        effort: quick or full, a key of SYN.
        seed: of the registration.
        space: of the template.
    """
    with own_folder() as folder:
        files = [folder / "fixed.nii", folder / "moving.nii"]
        for file, image in zip(files, (template, path), strict=True):
            coarse = at_least(read_volume(image), WORKING_MM)
            write_image(scaled_alike(coarse.data), coarse.affine, file, space)
        command = run_registration(*files, (SYN[effort],), f"{folder}/", seed)
        shutil.copyfile(folder / "0Warp.nii.gz", warp)
        shutil.copyfile(folder / "0InverseWarp.nii.gz", inverse)
    for file, way in (
        (warp_sidecar, "brings images of the scan to the template"),
        (inverse_sidecar, "brings images of the template to the scan"),
    ):
        write_sidecar(
            file,
            sources=[path, template],
            space=space,
            tools=("antspyx",),
            Type="nonlinear",
            Units="mm",
            Direction=f"Pull-back displacement (ITK, LPS) that {way}",
            CommandLines=[command],
        )
