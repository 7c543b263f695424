"""What becomes of the other scans of a Slurm job when the process of one is killed, or the job is cancelled."""

import subprocess
from pathlib import Path

import pytest
import yaml
from chest_like import write_cohort
from conftest import Clone, ask, wait_for
from running import ROOT

SCANS = ("sub-002_ses-20150302", "sub-003_ses-20140303")
# Put before the clone's script. The second film to be prepared, once only, notes which one is ready, waits to be
# cancelled while there is a file `hold`, and else kills its own process.
PRELUDE = """
import os, signal, time
from pathlib import Path as _Path

_ready = list(_Path("results").rglob("*_equalised.png"))
if _ready and not _Path("before").exists():
    _Path("before").write_text(_ready[0].name.removesuffix("_equalised.png"))
    while _Path("hold").exists():
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Films(Clone):
    """A clone that prepares a few films in one Slurm job, whose first try comes to harm."""

    def __init__(self, folder: Path):
        write_cohort(folder / "data", 3, 2)
        study = yaml.safe_load((ROOT / "experiments/defigan_copd.yaml").read_text())
        study["cohort"] |= {"path": str(folder / "data/films.tsv")}
        study["preprocess"] = {"films": {"edge": 64, "crop": 56}}
        super().__init__(folder, **study | {"experiment": "tiny", "device": "cpu"})
        script = self.code / "workflow_scripts/prepare_film.py"
        script.write_text(PRELUDE + script.read_text())

    def film(self, scan: str) -> Path:
        return self.results / "films" / scan.replace("_", "/") / f"{scan}_equalised.png"

    def begin(self, *arguments: str) -> subprocess.Popen:
        films = [str(self.film(scan).relative_to(self.folder)) for scan in SCANS]
        return self.start(*films, "--group-components", "scan=2", "pair=2", *arguments)

    def finish(self, process: subprocess.Popen) -> None:
        if process.wait(300):
            pytest.fail(f"snakemake returned {process.returncode}:\n{self.output()[-6000:]}")
        assert all(self.film(scan).exists() for scan in SCANS)

    def was_made_again(self) -> bool:
        """Whether the film that was ready was prepared once more; the log of one that was fetched is empty."""
        scan = (self.folder / "before").read_text()
        return (
            "prepare_film starts"
            in (self.results / f"logs/{scan.replace('_', '/')}/{scan}_prepare_film.log").read_text()
        )


@pytest.fixture(scope="module")
def clones(slurm, tmp_path_factory) -> tuple[Films, Films]:
    """One of whose scans the process was killed; one that was cancelled, with a cache. Both at the same time."""
    killed, cancelled = (Films(tmp_path_factory.mktemp(name)) for name in ("killed", "cancelled"))
    (cancelled.folder / "hold").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path_factory.mktemp("cache")))
        second = cancelled.begin("--workflow-profile", "slurm/cached")
    first = killed.begin()
    wait_for(lambda: second.poll() is not None or (cancelled.folder / "before").exists(), "a film to be ready", 240)
    (job,) = jobs_of(cancelled, slurm)
    ask("scancel", job["JobId"])
    (cancelled.folder / "hold").unlink()
    killed.finish(first)
    cancelled.finish(second)
    return killed, cancelled


def jobs_of(clone, slurm) -> list[dict[str, str]]:
    return [job for job in slurm.jobs() if job["WorkDir"] == str(clone.folder)]


def test_a_group_whose_scan_kills_its_process_begins_anew_with_more_and_ends(clones, slurm):
    first, second = jobs_of(clones[0], slurm)
    assert (first["JobState"], second["JobState"]) == ("FAILED", "COMPLETED")
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("2000M", "4000M")
    assert (first["TimeLimit"], second["TimeLimit"]) == ("00:04:00", "00:08:00")
    # With a group Snakemake takes away all that it has made.
    assert clones[0].was_made_again()


def test_a_cancelled_group_is_tried_again_and_takes_its_finished_scans_from_the_cache(clones, slurm):
    first, second = jobs_of(clones[1], slurm)
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    assert not clones[1].was_made_again()
