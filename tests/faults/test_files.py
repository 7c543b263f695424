"""Disks that fill, caches shared, broken or closed, clocks that go wrong, folders that move: on this machine."""

import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from counterwarp.stats.cost import collect_costs
from counterwarp.workflow import cohort_step, scan_step
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


def mount(folder: Path, *options: str) -> None:
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path):
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount(folder, "-o", "size=1m")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("step", [scan_step, cohort_step])
def test_a_full_disk_stops_the_step_and_leaves_nothing_half_written(disk, tmp_path, step):
    outputs = OutputFiles([str(disk / "out/images.npy"), str(disk / "out/index.tsv")])
    outputs._set_name("images", 0)
    outputs._set_name("index", 1)
    job = SimpleNamespace(
        rule="pack",
        threads=1,
        wildcards=SimpleNamespace(scan="sub-01"),
        input=InputFiles([]),
        output=outputs,
        log=[str(tmp_path / "pack.log")],
    )

    def write(_, places):
        Path(places.index).write_text("row\tscan\n")
        np.save(places.images, np.zeros(2**20))

    with pytest.raises(OSError, match=r"No space left|requested and"):
        step(job, write)
    assert list((disk / "out").iterdir()) == []


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
    ends = ("qc.png", "space-MNI152_res-network_desc-normalised_T1w.nii.gz", "space-MNI152_label-GM_probseg.nii.gz")
    for project in (one, other):
        project.run("--cache", "--", *[f"{SCAN}_{end}" for end in ends])
    steps = {"conform", "bias_correct", "strip", "register", "normalise", "qc", "syn", "segment"}
    assert set(collect_costs(one.results / "logs")["rule"]) == steps | {"templates", "atlas", "simulate_scan"}
    assert collect_costs(other.results / "logs").empty
    for end in ends:
        first, second = (project.folder / f"{SCAN}_{end}" for project in (one, other))
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
    subprocess.run(["mount", "--bind", cache, cache], check=True)
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
