"""Register a brain to the template: a linear map, applied to the full scan, and written as every tool reads it."""

import shutil

import numpy as np
from scipy.ndimage import distance_transform_edt

from counterwarp.errors import ScanError
from counterwarp.imaging.ants import Stage, own_folder, read_world_matrix, run_registration, write_world_matrix
from counterwarp.imaging.fsl import flirt, to_flirt
from counterwarp.imaging.io import Volume, read_sidecar, read_volume, write_image, write_sidecar
from counterwarp.imaging.orient import best_starts, tilt_degrees
from counterwarp.imaging.resample import at_least, resample

WORKING_MM = 2.0
# Starting points that are each refined, of those that the search over rotations finds.
STARTS = 3
# The search looks at the template's brain and at this much around it, where a scan of a brain is dark.
MARGIN_MM = 25.0
# Voxels at which they are refined; the next stage goes on at finer ones.
RIGID_MM = 4.0
RIGID = Stage("Rigid[0.1]", "MI[{fixed},{moving},1,32,Regular,0.25]", "40x10", "2x1", "1x0")
# Within one contrast the correlation is sharper than mutual information: brains keep their size.
_CORRELATION = "GC[{fixed},{moving},1,0,Regular,0.5]"
_LEVELS = ("100x50", "4x3", "2x1")
# Of ANTs, by degrees of freedom, after the rigid stage.
STAGES = {7: Stage("Similarity[0.1]", _CORRELATION, *_LEVELS), 12: Stage("Affine[0.1]", _CORRELATION, *_LEVELS)}
# What the map of an adult's brain to a template of adults can be: turned within the search's reach, 0.7 to 1.5 times as
# long along each of its axes, and no two of these more apart than by this factor.
MOST_TURNED_DEGREES = 80.0
SCALES = (0.7, 1.5)
MOST_STRETCHED = 1.5
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

    Raises:
        ScanError: as `check_plausible`.
    """
    scan, brain_mask, target = read_volume(path), read_volume(mask), read_volume(template)
    brain = Volume(scan.data * (brain_mask.data > 0.5), scan.affine)
    if engine == "flirt":
        world, commands = flirt(brain, target, dof)
        write_world_matrix(np.linalg.inv(world), outputs["transform"])
    else:
        inverse, commands = estimate(target, brain, STAGES[dof], seed, outputs["transform"])
        world = np.linalg.inv(inverse)
    check_plausible(world, path)
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
    fixed: Volume, moving: Volume, last: Stage, seed: int, transform: str | None = None
) -> tuple[np.ndarray, list[str]]:
    """Linear registration of two brains by ANTs.

    Rigid registrations start from the rotations at which the brains correlate best; the one that ends best goes on.

    Args:
        fixed, moving: two brains.
        last: stage after the rigid one.
        seed: of the sampling of voxels.
        transform: where ITK's file goes, if anywhere.

    Returns:
        4 x 4 world matrix, fixed mm -> moving mm (RAS), and the command lines.
    """
    with own_folder() as folder:
        coarse = [at_least(volume, WORKING_MM) for volume in (fixed, moving)]
        files = [folder / "fixed.nii", folder / "moving.nii"]
        for file, volume in zip(files, coarse, strict=True):
            write_image(volume.data, volume.affine, file, "scanner")
        start, first = rigid(*coarse, near(coarse[0].data > 0, coarse[0]), seed)
        write_world_matrix(start, folder / "start.mat")
        second = run_registration(*files, (last,), f"{folder}/", seed, folder / "start.mat")
        if transform:
            shutil.copyfile(folder / "0GenericAffine.mat", transform)
        return read_world_matrix(folder / "0GenericAffine.mat"), [first, second]


def rigid(fixed: Volume, moving: Volume, inside: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    """Rigid registration of two heads or brains by ANTs, from the rotations at which they correlate best.

    Each of them is refined, and the one that ends at the highest correlation is taken.

    Args:
        fixed, moving: two images of one contrast.
        inside: bool mask on the fixed one, where they are compared.
        seed: of the sampling of voxels.

    Returns:
        4 x 4 world matrix, fixed mm -> moving mm (RAS), and the command line.
    """
    target, source = at_least(fixed, RIGID_MM), at_least(moving, RIGID_MM)
    looked_at = resample(inside, fixed.affine, target.shape, target.affine) > 0.5
    with own_folder() as folder:
        write_image(target.data, target.affine, folder / "fixed.nii", "scanner")
        write_image(source.data, source.affine, folder / "moving.nii", "scanner")
        write_image(looked_at, target.affine, folder / "inside.nii", "scanner")
        files = folder / "fixed.nii", folder / "moving.nii"
        ends = []
        for number, start in enumerate(best_starts(fixed, inside, moving, STARTS)):
            write_world_matrix(start, folder / "start.mat")
            where = folder / "start.mat", folder / "inside.nii"
            command = run_registration(*files, (RIGID,), f"{folder}/{number}-", seed, *where)
            matrix = read_world_matrix(folder / f"{number}-0GenericAffine.mat")
            ends.append((similarity(target, source, matrix, looked_at), matrix, command.replace(f"{folder}/", "./")))
    _, matrix, command = max(ends, key=lambda end: end[0])
    return matrix, command


def near(mask: np.ndarray, volume: Volume) -> np.ndarray:
    """The voxels of a volume that lie in a mask or within MARGIN_MM of it, bool."""
    return distance_transform_edt(~mask, sampling=volume.voxel_mm) <= MARGIN_MM


def similarity(fixed: Volume, moving: Volume, matrix: np.ndarray, inside: np.ndarray) -> float:
    """Correlation of two images in a part of the fixed one, after a world matrix (fixed mm -> moving mm)."""
    moved = resample(moving.data, moving.affine, fixed.shape, fixed.affine, np.linalg.inv(matrix))[inside]
    return float(np.corrcoef(fixed.data[inside], moved)[0, 1]) if moved.std() > 0 else -1.0


def check_plausible(world: np.ndarray, path: str) -> None:
    """Raise a ScanError where a linear map is none that brings an adult's brain to a template.

    Args:
        world: 4 x 4, scanner mm -> the template's mm.
        path: of the scan, for the message.
    """
    scales = np.linalg.svd(world[:3, :3], compute_uv=False)
    # A mirror image is no turn at all.
    turned = tilt_degrees(world) if np.linalg.det(world[:3, :3]) > 0 else 180.0
    if (
        turned > MOST_TURNED_DEGREES
        or scales.min() < SCALES[0]
        or scales.max() > SCALES[1]
        or scales.max() / scales.min() > MOST_STRETCHED
    ):
        sizes = ", ".join(f"{scale:.2f}" for scale in sorted(scales))
        raise ScanError(
            f"{path}: registered to the template by a turn of {turned:.0f} degrees and scales of {sizes}, which no "
            "brain needs; look at its brain mask and its orientation, or exclude the scan"
        )


def to_grid(scan: Volume, mask: Volume, target: Volume, world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scan (cubic, non-negative, 0 outside the mask) and its mask on the target's grid."""
    inside = resample(mask.data, mask.affine, target.shape, target.affine, world) >= 0.5
    moved = resample(scan.data, scan.affine, target.shape, target.affine, world, order=3)
    return np.where(inside, np.maximum(moved, 0), 0), inside
