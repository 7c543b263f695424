"""Disks that fill, caches shared, broken or closed, clocks that go wrong, folders that move: on this machine."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from counterwarp.cohorts.phantom import mni152
from counterwarp.imaging.bias import correct_bias
from counterwarp.imaging.fsl import bet
from counterwarp.imaging.io import read_volume, write_image
from counterwarp.imaging.register import STAGES, estimate
from counterwarp.imaging.segment import segment
from counterwarp.stats.cost import collect_costs
from counterwarp.workflow import cohort_step, scan_step
from fsl_like import write_programs
from running import ROOT, Workflow
from snakemake.iocontainers import InputFiles, OutputFiles

SMALL = {
    "device": "cpu",
    "seeds": [1],
    "cohort": {"source": "gaussians", "gaussians": {"each": 70}},
    "classifier": {"channels": [2, 4], "hidden": 4, "epochs": 1, "batch_size": 8},
}
SCAN = "results/tiny/derivatives/sub-001/ses-01/anat/sub-001_ses-01"
WEIGHTS = "results/tiny/classifier/seed-1/weights.safetensors"
# As the profile has it. Snakemake by itself compares the content of files below one megabyte only.
COMPARE = (
    "--max-checksum-file-size",
    yaml.safe_load((ROOT / "slurm/config.yaml").read_text())["max-checksum-file-size"],
)


class Study(Workflow):
    """A project that draws the images of a small benchmark and trains one classifier."""

    def train(self, *arguments: str, check: bool = True, **sections) -> str:
        overlay = self.folder / "overlay.yaml"
        overlay.write_text(yaml.safe_dump(SMALL | sections))
        return self.run(*arguments, "--", WEIGHTS, configfiles=[overlay], check=check)


def mount(*arguments: str | Path) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount a disk: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path):
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", folder], check=True)


def job(folder: Path, log: Path, **inputs: Path) -> SimpleNamespace:
    """What a script gets from Snakemake, of a rule with two outputs."""
    outputs = OutputFiles([str(folder / name) for name in ("image.nii.gz", "index.tsv")])
    files = InputFiles(map(str, inputs.values())), outputs
    for found, names in zip(files, (inputs, ("image", "index")), strict=True):
        for place, name in enumerate(names):
            found._set_name(name, place)
    scan = SimpleNamespace(scan="sub-01")
    return SimpleNamespace(rule="pack", threads=1, wildcards=scan, input=files[0], output=files[1], log=[str(log)])


@pytest.mark.parametrize("step", [scan_step, cohort_step])
def test_a_full_disk_stops_the_step_and_leaves_nothing_half_written(disk, tmp_path, step):
    def write(_, places):
        Path(places.index).write_text("row\tscan\n")
        with open(places.image, "wb") as file:
            np.save(file, np.zeros(2**20))

    with pytest.raises(OSError, match=r"No space left|requested and"):
        step(job(disk / "out", tmp_path / "pack.log"), write)
    assert list((disk / "out").iterdir()) == []


@pytest.fixture(scope="module")
def brain(tmp_path_factory) -> dict[str, Path]:
    """A brain of half a megabyte, and its mask."""
    folder, image = tmp_path_factory.mktemp("brain"), mni152("t1", 4.0)
    data = image.get_fdata(dtype=np.float32)
    write_image(data, image.affine, folder / "brain.nii.gz", "MNI152")
    write_image(data > 0.1, image.affine, folder / "mask.nii.gz", "MNI152")
    return {"brain": folder / "brain.nii.gz", "mask": folder / "mask.nii.gz"}


@pytest.fixture
def fsl(tmp_path, monkeypatch):
    programs = write_programs(tmp_path / "fsl")
    monkeypatch.setenv("FSLDIR", str(programs))
    monkeypatch.setenv("PATH", str(programs / "bin"), prepend=":")


@pytest.mark.parametrize(
    "work",
    [
        # N4 finds no room, writes what it can, and says that all is well.
        lambda inputs, outputs: correct_bias(inputs.brain, outputs.image, True),
        lambda inputs, outputs: segment(inputs.brain, inputs.mask, {}, outputs.index, "MNI152"),
        lambda inputs, _: bet(read_volume(inputs.brain), 0.5),
    ],
    ids=["N4", "Atropos", "BET"],
)
def test_a_program_that_finds_the_disk_full_is_no_fault_of_the_scan(disk, tmp_path, fsl, brain, work):
    with pytest.raises(OSError, match=rf"No space left on device; make room .*{disk}/out"):
        scan_step(job(disk / "out", tmp_path / "pack.log", **brain), work)
    assert list((disk / "out").iterdir()) == []


def register(inputs, outputs) -> None:
    world, _ = estimate(read_volume(inputs.brain), read_volume(inputs.brain), STAGES[12], 1)
    np.savetxt(outputs.image, world)
    Path(outputs.index).touch()


def test_a_killed_registration_leaves_nothing_that_the_next_try_does_not_take_away(tmp_path, brain, monkeypatch):
    temporary, out = tmp_path / "temporary", tmp_path / "out"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    task = job(out, tmp_path / "register.log", **brain)
    process = get_context("spawn").Process(target=scan_step, args=(task, register))
    process.start()
    # ANTs begins as soon as it has both.
    while process.is_alive() and not list(out.glob(".unfinished-image_nii_gz/*/moving.nii")):
        time.sleep(0.01)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL and list(out.glob(".unfinished-image_nii_gz/*/fixed.nii"))
    scan_step(task, register)
    assert sorted(path.name for path in out.iterdir()) == ["image.nii.gz", "index.tsv"]
    assert list(temporary.iterdir()) == []


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def projects(tmp_path_factory, cache) -> list[Study]:
    """Two projects that ran at the same time on one cache, which was empty."""
    projects = [Study(tmp_path_factory.mktemp(name)) for name in ("one", "other")]
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(cache))
        list(pool.map(lambda project: project.train("--cache", *COMPARE), projects))
    return projects


def test_two_projects_at_once_share_a_cache(projects, cache):
    one, other = ((project.folder / WEIGHTS) for project in projects)
    assert one.read_bytes() == other.read_bytes()
    assert {path.resolve().parent for path in (one, other)} == {cache}
    assert not [path for path in cache.iterdir() if path.is_dir()]


def test_a_second_project_takes_every_step_of_a_scan_from_the_cache(tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path / "cache"))
    one, other = Workflow(tmp_path / "one"), Workflow(tmp_path / "other")
    ends = ("qc.png", "space-MNI152_res-network_desc-normalised_T1w.nii.gz")
    files = [*(f"{SCAN}_{end}" for end in ends), "results/tiny/intermediate/sub-001/ses-01/sub-001_ses-01_regions.tsv"]
    for project in (one, other):
        project.run("--cache", "--", *files)
    steps = {"prepare_scan", "strip", "register", "normalise", "qc", "syn", "segment", "measure_regions"}
    of_template = {"templates", "atlas", "parcellation"}
    assert set(collect_costs(one.results / "logs")["rule"]) == steps | of_template | {"simulate_scan"}
    assert collect_costs(other.results / "logs").empty
    for file in files:
        first, second = (project.folder / file for project in (one, other))
        assert first.resolve() == second.resolve() and first.is_file()


def test_what_came_from_a_cache_is_not_made_again(projects):
    assert "Nothing to be done" in projects[0].train(*COMPARE)


def test_a_new_date_without_new_content_trains_nothing_again(projects):
    for date in (time.time() + 3600, time.time()):
        for path in ("results/tiny/pack/seed-1/images.npy", "results/tiny/pack/seed-1/index.tsv"):
            os.utime(projects[0].folder / path, (date, date))
        assert "Nothing to be done" in projects[0].train(*COMPARE)


def test_results_in_another_folder_are_still_the_results(projects, tmp_path):
    project = projects[1]
    shutil.move(project.folder, tmp_path / "elsewhere")
    project.folder = tmp_path / "elsewhere"
    assert "Nothing to be done" in project.train(*COMPARE)


@pytest.fixture
def third(tmp_path, cache, projects, monkeypatch) -> Study:
    """A project that finds the images in the cache and has another network to train."""
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(cache))
    return Study(tmp_path)


def test_a_cache_that_cannot_be_written_to_stops_before_any_work(third, cache):
    mount("--bind", cache, cache)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", cache], check=True)
        text = third.train("--cache", check=False)
    finally:
        subprocess.run(["umount", cache], check=True)
    assert third.returncode != 0 and not third.results.exists()
    assert f"{cache} is no folder that can be written to" in text and "Traceback" not in text


def test_a_broken_entry_of_the_cache_is_named_and_once_deleted_is_made_again(third, cache):
    (entry,) = cache.glob("*_images.npy")
    entry.write_bytes(entry.read_bytes()[:1000])
    other = {"classifier": SMALL["classifier"] | {"epochs": 2}}
    text = third.train("--cache", check=False, **other)
    image = "results/tiny/pack/seed-1/images.npy"
    assert third.returncode != 0 and f"delete {image} and {entry}, run again" in text
    (third.folder / image).unlink()
    entry.unlink()
    third.train("--cache", **other)
    assert (third.folder / WEIGHTS).is_file()


@pytest.fixture
def scans(tmp_path, brain, monkeypatch) -> Workflow:
    """A project of eight scans, with a cache of its own."""
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "data"
    for number in range(8):
        image = data / f"sub-{number}/anat/sub-{number}_T1w.nii.gz"
        image.parent.mkdir(parents=True)
        image.symlink_to(brain["brain"])
    people = [f"sub-{number}\t{('control', 'patient')[number % 2]}\t70\tF" for number in range(8)]
    (data / "participants.tsv").write_text("\n".join(["participant_id\tgroup\tage\tsex", *people]) + "\n")
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump({"cohort": {"source": "bids", "path": str(data)}}))
    return Workflow(tmp_path / "study")


def test_a_broken_entry_of_a_scan_stops_its_next_step_and_makes_no_failure_of_the_scan(scans, tmp_path):
    def strip(*arguments: str, check: bool = True) -> str:
        arguments += ("--notemp", *COMPARE, "--", mask)
        return scans.run(*arguments, configfiles=[tmp_path / "overlay.yaml"], check=check)

    corrected = "results/tiny/intermediate/sub-0/sub-0_desc-n4_T1w.nii.gz"
    mask = "results/tiny/derivatives/sub-0/anat/sub-0_desc-brain_mask.nii.gz"
    strip("--cache")
    whole, entry = (scans.folder / mask).read_bytes(), (scans.folder / corrected).resolve()
    made_of_it = (scans.folder / mask).resolve()
    for path in (scans.folder / mask, made_of_it):
        path.unlink()
    entry.write_bytes(entry.read_bytes()[:1000])
    text = strip("--cache", check=False)
    assert scans.returncode != 0 and f"delete {corrected} and {entry}, run again" in text
    assert not (scans.folder / mask).exists() and not made_of_it.exists()
    for path in (scans.folder / corrected, entry):
        path.unlink()
    strip("--cache")
    assert (scans.folder / mask).read_bytes() == whole

    # With the cache a step that is made to run takes its result from there; without, what is there stays.
    strip("--forcerun", "strip", "--cache")
    assert (scans.folder / mask).is_symlink()
    strip("--forcerun", "strip")
    assert not (scans.folder / mask).is_symlink() and made_of_it.read_bytes() == whole
