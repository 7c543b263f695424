"""Register a brain to the template: the affine estimated on coarse voxels and applied to the full scan."""

import shutil

import numpy as np

from counterwarp.imaging.ants import Stage, own_folder, read_world_matrix, run_registration
from counterwarp.imaging.io import Volume, read_volume, write_image, write_sidecar
from counterwarp.imaging.resample import at_least, resample

WORKING_MM = 2.0
_METRIC = "MI[{fixed},{moving},1,32,Regular,0.25]"
AFFINE_STAGES = (
    Stage("Rigid[0.1]", _METRIC, "500x250x100", "4x3x2", "2x1x1"),
    Stage("Affine[0.1]", _METRIC, "500x250x100", "4x3x2", "2x1x1"),
)


def register(
    path: str,
    mask: str,
    template: str,
    transform: str,
    transform_sidecar: str,
    image: str,
    image_sidecar: str,
    moved_mask: str,
    moved_mask_sidecar: str,
    seed: int,
    space: str,
) -> None:
    """Estimate the affine from a scan's brain to the template and bring scan and mask to the template's grid.

    Args:
        path, mask: the bias-corrected scan and its brain mask.
        template: skull-stripped T1; its grid is the grid of the outputs.
        transform: ITK affine of the image (so it maps template points to scanner points, LPS).
        transform_sidecar: JSON with the same as a world matrix, scanner mm -> the template's mm (RAS).
        image, image_sidecar: the brain in the template's space, 0 outside the mask, cubic interpolation.
        moved_mask, moved_mask_sidecar: the brain mask there.
        seed: of the registration.
        space: of the template.
    """
    scan, brain_mask, target = read_volume(path), read_volume(mask), read_volume(template)
    brain = Volume(scan.data * (brain_mask.data > 0.5), scan.affine)
    world = np.linalg.inv(estimate(target, brain, AFFINE_STAGES, seed, transform))
    moved, inside = to_grid(scan, brain_mask, target, world)
    write_image(moved, target.affine, image, space)
    write_image(inside, target.affine, moved_mask, space)
    write_sidecar(
        transform_sidecar,
        sources=[path, mask, template],
        space=space,
        tools=("antspyx",),
        Type="affine",
        Units="mm",
        Direction=f"WorldMatrix maps scanner points to {space} (RAS); the ITK file maps {space} to the scanner (LPS)",
        WorldMatrix=world.tolist(),
    )
    write_sidecar(moved_mask_sidecar, sources=[path, mask, template], space=space, Type="Brain")
    write_sidecar(
        image_sidecar,
        sources=[path, mask, template],
        space=space,
        tools=("antspyx",),
        SkullStripped=True,
        Description=f"Denoised, bias-corrected, skull-stripped and brought to {space} by an affine",
        Resolution=f"{' x '.join(f'{edge:g}' for edge in target.voxel_mm)} mm",
    )


def estimate(
    fixed: Volume, moving: Volume, stages: tuple[Stage, ...], seed: int, transform: str | None = None
) -> np.ndarray:
    """Linear registration of two brains, started from the centres of mass.

    Args:
        fixed, moving: two brains.
        stages: in order.
        seed: of the sampling of voxels.
        transform: where ITK's file goes, if anywhere.

    Returns:
        4 x 4 world matrix, fixed mm -> moving mm (RAS).
    """
    with own_folder() as folder:
        files = [folder / "fixed.nii", folder / "moving.nii"]
        for file, volume in zip(files, (fixed, moving), strict=True):
            coarse = at_least(volume, WORKING_MM)
            write_image(coarse.data, coarse.affine, file, "scanner")
        run_registration(*files, stages, f"{folder}/", centre=True, seed=seed)
        if transform:
            shutil.copyfile(folder / "0GenericAffine.mat", transform)
        return read_world_matrix(folder / "0GenericAffine.mat")


def to_grid(scan: Volume, mask: Volume, target: Volume, world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scan (cubic, non-negative, 0 outside the mask) and its mask on the target's grid."""
    inside = resample(mask.data, mask.affine, target.shape, target.affine, world) >= 0.5
    moved = resample(scan.data, scan.affine, target.shape, target.affine, world, order=3)
    return np.where(inside, np.maximum(moved, 0), 0), inside
