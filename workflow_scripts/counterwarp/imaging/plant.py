"""Put a known disease into a real scan, and write what it changed."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from counterwarp.cohorts.deform import Frame, Grid, conjugated, velocity_of
from counterwarp.cohorts.planted import affected, check_regions
from counterwarp.errors import ScanError
from counterwarp.imaging.ants import own_folder
from counterwarp.imaging.bias import correct_bias
from counterwarp.imaging.conform import conform
from counterwarp.imaging.io import Volume, read_volume, write_image
from counterwarp.imaging.qc import dice
from counterwarp.imaging.regions import labels_of
from counterwarp.imaging.register import register
from counterwarp.imaging.strip import strip
from counterwarp.imaging.warp import Field, read_field, register_nonlinear

# Of a region's edge, and of the rim of fluid around the template's brain.
BLUR_MM, RIM_MM = 3.0, 4.0
# A scan whose brain the registration brings onto the template's less well has no known places to plant a disease in.
LEAST_OVERLAP = 0.9
# Every scan, planted or not, is sampled on a grid of its own turned a little, so that interpolation tells no groups.
TURN_DEGREES = 2.0
# Voxels added at each border, where a turned grid would cut off.
ROOM = 4


@dataclass(frozen=True)
class Draw:
    """What one planted scan depends on: seed and subject draw its grid; severity is 0 in controls, whose truth is what
    a disease of severity 1 would do to them."""

    seed: int
    subject: str
    severity: float


def write_disease(labels: str, label_table: str, template_mask: str, log_changes: dict[str, float], path: str) -> None:
    """Save the velocity of a disease on the template (npz: velocity (3, x, y, z) mm, voxel_mm, origin_mm).

    Args:
        labels, label_table: the template's parcellation.
        template_mask: of its brain.
        log_changes: region -> mean log-change of its volume at severity 1 (`planted.affected`).
        path: of the output.

    Raises:
        ConfigError: a region that the template does not have.
    """
    parcellation, mask = read_volume(labels), read_volume(template_mask)
    regions = pd.read_csv(label_table, sep="\t", dtype=str)
    check_regions(regions["name"], log_changes)
    wanted = affected(regions["name"], log_changes)
    drawn = {
        name: np.isin(parcellation.data, labels_of(index))
        for index, name in zip(regions["index"], regions["name"], strict=True)
        if wanted[name]
    }
    grid, flipped = along_world(mask)
    changes = [(flipped(inside), wanted[name]) for name, inside in drawn.items() if inside.any()]
    velocity = velocity_of(grid, flipped(mask.data > 0.5), changes, BLUR_MM, RIM_MM)
    np.savez(path, velocity=velocity, voxel_mm=grid.voxel_mm, origin_mm=grid.origin_mm)


def along_world(volume: Volume):
    """The grid of a volume with its axes along the world's, and the function that turns an array (x, y, z) to it.

    Raises:
        ValueError: its axes are oblique or its voxels no cubes.
    """
    steps = volume.affine[:3, :3]
    edges = np.abs(np.diag(steps))
    if not np.allclose(steps, np.diag(np.diag(steps))) or not np.allclose(edges, edges[0]):
        raise ValueError("the template's grid is not along the world's axes with cubic voxels")
    backward = [axis for axis in range(3) if steps[axis, axis] < 0]
    shape = volume.data.shape[:3]
    last = steps @ (np.array(shape) - 1)
    origin = volume.affine[:3, 3] + np.where(np.diag(steps) < 0, last, 0)
    grid = Grid(tuple(shape), float(edges[0]), tuple(float(place) for place in origin))
    return grid, lambda data: np.flip(data, backward)


def locate(
    image: str,
    head: str,
    head_mask: str,
    given: str,
    template: str,
    outputs: dict[str, str],
    settings: dict,
) -> None:
    """Find a scan's way to the template, as the workflow does.

    Args:
        image: the scan.
        head, head_mask: that the strip needs, if any.
        given: the user's own mask, if any.
        template: skull-stripped T1.
        outputs: `conformed`, the scan as the workflow reads it; `mask`, of its brain; `world`, matrix scanner mm -> the
            template's mm; `warp`, `inverse`, fields as of `register_nonlinear`.
        settings: section `preprocess` of the configuration, with `bet_fraction` and `space`.
    """
    strip_by, how, seed, space = settings["strip"], settings["register"], settings["seed"], settings["space"]
    with own_folder() as folder:

        def at(name: str) -> str:
            return str(folder / name)

        conform(image, outputs["conformed"], at("c.json"), settings["minimum_field_of_view_mm"], settings["conform"])
        correct_bias(outputs["conformed"], at("n4.nii.gz"), settings["denoise"])
        strip(
            at("n4.nii.gz"),
            outputs["mask"],
            at("strip.json"),
            strip_by["engine"],
            seed,
            settings["bet_fraction"],
            head,
            head_mask,
            given or outputs["conformed"],
            strip_by["or_none"],
        )
        names = ("transform.mat", "flirt.mat", "t.json", "affine.nii.gz", "a.json", "m.nii.gz", "m.json")
        keys = ("transform", "flirt", "transform_sidecar", "image", "image_sidecar", "mask", "mask_sidecar")
        written = {key: at(name) for key, name in zip(keys, names, strict=True)} | {"world": outputs["world"]}
        register(
            at("n4.nii.gz"),
            outputs["mask"],
            template,
            {"conform": at("c.json"), "strip": at("strip.json")},
            written,
            how["engine"],
            how["dof"],
            seed,
            space,
        )
        fields = outputs["warp"], outputs["inverse"], at("w.json"), at("i.json")
        register_nonlinear(written["image"], template, *fields, settings["warp"], seed, space)


def plant(inputs: dict[str, str], outputs: dict[str, str], draw: Draw) -> None:
    """Plant the disease in one scan; a control's is sampled anew in the same way, without a disease.

    Args:
        inputs: `conformed`, `mask`, `world`, `warp`, `inverse` of `locate`, `disease` of `write_disease` and
            `template_mask`.
        outputs: `image`; `mask`, its brain; `log_jacobian`, log of the tissue's volume change by the disease, expansion
            positive, of a control what a disease of severity 1 would do; `truth`, JSON with severity and
            counterfactual. Images lie on one grid, that of the scan turned a little.
        draw: severity and what draws the grid.

    Raises:
        ScanError: the registration folds or misses the template's brain.
    """
    scan, mask, template_mask = (read_volume(inputs[name]) for name in ("conformed", "mask", "template_mask"))
    world = np.loadtxt(inputs["world"])
    warp, inverse = read_field(inputs["warp"]), read_field(inputs["inverse"])
    _check_overlap(mask, template_mask, world, inverse, inputs["conformed"])
    with np.load(inputs["disease"]) as saved:
        grid = Grid(saved["velocity"].shape[1:], float(saved["voxel_mm"]), tuple(saved["origin_mm"]))
        velocity = saved["velocity"]
    shape, affine = turned_grid(scan, np.random.default_rng([draw.seed, zlib.crc32(draw.subject.encode())]))
    points = np.stack(np.meshgrid(*[np.arange(n, dtype=np.float32) for n in shape], indexing="ij"))
    places = _apply(affine, points)
    in_affine_space = _apply(world, places)
    frame = frame_of(inverse, warp)
    standard = frame.grid.move(frame.forward, in_affine_space)
    # A control's truth is in the healthy frame, where the disease flows the other way.
    step = draw.severity or -1.0
    try:
        _, shift, log_det = conjugated(frame, grid, velocity, step, standard)
    except ValueError as error:
        raise ScanError(f"{inputs['conformed']}: no disease can be planted: {error}") from error
    back = np.linalg.inv(world)[:3, :3]
    sources = places + (np.tensordot(back, shift, 1) if draw.severity else 0)
    # Beyond the fields the disease does not reach, and what they say there is a border's value drawn out.
    log_jacobian = np.where(_inside(frame.grid, in_affine_space), -np.sign(step) * log_det, 0)
    voxels = _apply(np.linalg.inv(scan.affine), sources)
    image = np.maximum(map_coordinates(scan.data, voxels, order=3, mode="constant"), 0)
    # A scan without skull is 0 around the brain, and must stay so.
    there = map_coordinates((scan.data > 0).astype(np.float32), voxels, order=1, mode="constant") >= 0.5
    brain = map_coordinates((mask.data > 0.5).astype(np.float32), voxels, order=1, mode="constant") >= 0.5
    write_image(np.where(there, image, 0).astype(np.float32), affine, outputs["image"], "scanner")
    write_image(brain, affine, outputs["mask"], "scanner")
    write_image(log_jacobian.astype(np.float32), affine, outputs["log_jacobian"], "scanner")
    facts = {"severity": draw.severity, "counterfactual": draw.severity == 0}
    Path(outputs["truth"]).write_text(json.dumps(facts, indent=1) + "\n")


def frame_of(inverse: Field, warp: Field) -> Frame:
    """The way from a scan, affinely on the template, to the template and back."""
    grid, flipped = along_world(Volume(inverse.displacement, inverse.affine))
    forward, backward = (
        np.stack([flipped(part) for part in np.moveaxis(field.on(grid.shape, inverse.affine).displacement, -1, 0)])
        for field in (inverse, warp)
    )
    return Frame(grid, forward, backward)


def turned_grid(scan: Volume, rng: np.random.Generator) -> tuple[tuple[int, ...], np.ndarray]:
    """Shape and affine of a scan's grid after a small random turn about its middle and a shift within a voxel."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", rng.uniform(-TURN_DEGREES, TURN_DEGREES, 3), degrees=True).as_matrix()
    shape = tuple(n + 2 * ROOM for n in scan.shape)
    start = np.eye(4)
    start[:3, 3] = rng.uniform(-0.5, 0.5, 3) - ROOM
    affine = scan.affine @ start
    middle = affine[:3, :3] @ ((np.array(shape) - 1) / 2) + affine[:3, 3]
    turn[:3, 3] = middle - turn[:3, :3] @ middle
    return shape, turn @ affine


def _check_overlap(mask: Volume, template_mask: Volume, world: np.ndarray, inverse: Field, path: str) -> None:
    """Raise a ScanError where the template's brain, brought to the scan, is not the scan's."""
    places = inverse.sources() - inverse.displacement
    in_scan = np.linalg.inv(mask.affine) @ np.linalg.inv(world)
    own = map_coordinates(mask.data, _apply(in_scan, np.moveaxis(places, -1, 0)), order=1, mode="constant") > 0.5
    to_template = np.linalg.inv(template_mask.affine)
    brought = _apply(to_template, np.moveaxis(inverse.sources(), -1, 0))
    overlap = dice(own, map_coordinates(template_mask.data, brought, order=1, mode="constant") > 0.5)
    if overlap < LEAST_OVERLAP:
        raise ScanError(
            f"{path}: the template's brain overlaps this one's by a Dice of {overlap:.2f} after registration, under "
            f"{LEAST_OVERLAP}, so that a disease would be planted in the wrong place; look at its brain mask, or "
            "exclude the scan"
        )


def _inside(grid: Grid, points: np.ndarray) -> np.ndarray:
    low = np.reshape(grid.origin_mm, (3, 1, 1, 1))
    high = low + grid.voxel_mm * (np.reshape(grid.shape, (3, 1, 1, 1)) - 1)
    return ((points >= low) & (points <= high)).all(0)


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """World or voxel points (3, ...) after a 4 x 4 matrix."""
    return np.tensordot(matrix[:3, :3], points, 1) + matrix[:3, 3].reshape(3, 1, 1, 1)
