"""Register a brain to the template: a linear map, applied to the full scan, and written as every tool reads it."""

import shutil

import numpy as np

from counterwarp.imaging.ants import Stage, own_folder, read_world_matrix, run_registration, write_world_matrix
from counterwarp.imaging.fsl import flirt, to_flirt
from counterwarp.imaging.io import Volume, read_sidecar, read_volume, write_image, write_sidecar
from counterwarp.imaging.resample import at_least, resample

WORKING_MM = 2.0
_METRIC = "MI[{fixed},{moving},1,32,Regular,0.25]"
_LEVELS = ("200x100x50", "4x3x2", "2x1x1")
# It only has to bring the next stage near.
_RIGID = Stage("Rigid[0.1]", _METRIC, "200x50", "4x3", "2x1")
AFFINE_STAGES = (_RIGID, Stage("Affine[0.1]", _METRIC, *_LEVELS))
# Of ANTs, by degrees of freedom.
STAGES = {7: (_RIGID, Stage("Similarity[0.1]", _METRIC, *_LEVELS)), 12: AFFINE_STAGES}
TOOLS = {"ants": ("antspyx",), "flirt": ("nipype", "fslpy", "FSL")}


def register(
    path: str,
    mask: str,
    template: str,
    sidecars: dict[str, str],
    outputs: dict[str, str],
    engine: str,
    dof: int,
    seed: int,
    space: str,
) -> None:
    """Estimate the linear map from a scan's brain to the template and bring scan and mask to the template's grid.

    Args:
        path, mask: the bias-corrected scan and its brain mask.
        template: skull-stripped T1; its grid is the grid of the outputs.
        sidecars: of the steps before that have a choice of engines, by the name of the step.
        outputs: `transform`, ITK affine of the image (so it maps template points to scanner points, LPS); `world`, the
            world matrix, scanner mm -> the template's mm (RAS); `flirt`, FLIRT's matrix for the grids of mask and
            template; `transform_sidecar`, which says so; `image`, the brain in the template's space, 0 outside the
            mask, cubic interpolation; `mask` there; `image_sidecar`, `mask_sidecar`.
        engine: ants or flirt.
        dof: degrees of freedom: 7 or 12.
        seed: of ANTs.
        space: of the template.
    """
    scan, brain_mask, target = read_volume(path), read_volume(mask), read_volume(template)
    brain = Volume(scan.data * (brain_mask.data > 0.5), scan.affine)
    if engine == "flirt":
        world, commands = flirt(brain, target, dof)
        write_world_matrix(np.linalg.inv(world), outputs["transform"])
    else:
        inverse, commands = estimate(target, brain, STAGES[dof], seed, outputs["transform"])
        world = np.linalg.inv(inverse)
    np.savetxt(outputs["world"], world, fmt="%.10g")
    np.savetxt(outputs["flirt"], to_flirt(world, scan, target), fmt="%.10g")
    moved, inside = to_grid(scan, brain_mask, target, world)
    write_image(moved, target.affine, outputs["image"], space)
    write_image(inside, target.affine, outputs["mask"], space)
    write_sidecar(
        outputs["transform_sidecar"],
        sources=[path, mask, template],
        space=space,
        tools=TOOLS[engine],
        Type="affine",
        Units="mm",
        Direction=f"WorldMatrix maps scanner points to {space} (RAS); the ITK file maps {space} to the scanner (LPS)",
        WorldMatrix=world.tolist(),
        DegreesOfFreedom=dof,
        FlirtGrids={"in": mask, "ref": template},
        Engine=engine,
        CommandLines=commands,
    )
    write_sidecar(outputs["mask_sidecar"], sources=[path, mask, template], space=space, Type="Brain")
    steps = sidecars | {"register": outputs["transform_sidecar"]}
    write_sidecar(
        outputs["image_sidecar"],
        sources=[path, mask, template],
        space=space,
        tools=TOOLS[engine],
        SkullStripped=True,
        Description=f"Denoised, bias-corrected, skull-stripped and brought to {space} by "
        f"{'an affine' if dof == 12 else 'a similarity'}",
        Resolution=f"{' x '.join(f'{edge:g}' for edge in target.voxel_mm)} mm",
        Engines={step: engine_of(sidecar) for step, sidecar in steps.items()},
    )


def engine_of(sidecar: str) -> dict:
    """Engine, command lines and versions that a step's side-car tells."""
    told = read_sidecar(sidecar)
    return {name: told[name] for name in ("Engine", "CommandLines", "SoftwareVersions")}


def estimate(
    fixed: Volume, moving: Volume, stages: tuple[Stage, ...], seed: int, transform: str | None = None
) -> tuple[np.ndarray, list[str]]:
    """Linear registration of two brains by ANTs, started from the centres of mass.

    Args:
        fixed, moving: two brains.
        stages: in order.
        seed: of the sampling of voxels.
        transform: where ITK's file goes, if anywhere.

    Returns:
        4 x 4 world matrix, fixed mm -> moving mm (RAS), and the command line.
    """
    with own_folder() as folder:
        files = [folder / "fixed.nii", folder / "moving.nii"]
        for file, volume in zip(files, (fixed, moving), strict=True):
            coarse = at_least(volume, WORKING_MM)
            write_image(coarse.data, coarse.affine, file, "scanner")
        command = run_registration(*files, stages, f"{folder}/", centre=True, seed=seed)
        if transform:
            shutil.copyfile(folder / "0GenericAffine.mat", transform)
        return read_world_matrix(folder / "0GenericAffine.mat"), [command]


def to_grid(scan: Volume, mask: Volume, target: Volume, world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scan (cubic, non-negative, 0 outside the mask) and its mask on the target's grid."""
    inside = resample(mask.data, mask.affine, target.shape, target.affine, world) >= 0.5
    moved = resample(scan.data, scan.affine, target.shape, target.affine, world, order=3)
    return np.where(inside, np.maximum(moved, 0), 0), inside
