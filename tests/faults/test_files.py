"""Disks that fill, caches that are shared, broken or closed, clocks that go wrong, folders that move: on this machine."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from counterwarp.workflow import cohort_step, scan_step
from running import Workflow
from snakemake.iocontainers import InputFiles, OutputFiles

SMALL = {
    "device": "cpu",
    "seeds": [1],
    "cohort": {"source": "gaussians", "gaussians": {"each": 20}},
    "classifier": {"channels": [2, 4], "hidden": 4, "epochs": 1, "batch_size": 8},
}
WEIGHTS = "results/tiny/classifier/seed-1/weights.safetensors"
IMAGES = "results/tiny/pack/seed-1/images.npy"


class Study(Workflow):
    """A project that draws the images of a small benchmark and trains one classifier."""

    def train(self, *arguments: str, check: bool = True) -> str:
        overlay = self.folder / "overlay.yaml"
        overlay.write_text(yaml.safe_dump(SMALL))
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

    with pytest.raises(OSError, match="No space left|requested and"):
        step(job, write)
    assert list((disk / "out").iterdir()) == []
    assert (
        "No space left" in (tmp_path / "pack.log").read_text() or "requested and" in (tmp_path / "pack.log").read_text()
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def projects(tmp_path_factory, cache) -> list[Study]:
    """Two projects that ran at the same time on one cache, which was empty."""
    projects = [Study(tmp_path_factory.mktemp(name)) for name in ("one", "other")]
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(cache))
        list(pool.map(lambda project: project.train("--cache"), projects))
    return projects


def test_two_projects_at_once_share_a_cache(projects, cache):
    one, other = ((project.folder / WEIGHTS) for project in projects)
    assert one.read_bytes() == other.read_bytes()
    assert {path.resolve().parent for path in (one, other)} == {cache}
    assert not [path for path in cache.iterdir() if path.is_dir()]
