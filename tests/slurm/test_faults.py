"""What befalls a training on a cluster, and that nothing is lost: on a real Slurm of one node.

Each job here is one training of the classifier of a small 2-D benchmark, on a core of the cpu partition.
"""

import shutil
import signal
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import Clone, ask, wait_for
from safetensors.numpy import load_file

SMALL = {
    "device": "cpu",
    "cohort": {"source": "gaussians", "gaussians": {"each": 20}},
    "classifier": {"channels": [2, 4], "hidden": 4, "epochs": 6, "report_every": 1, "batch_size": 8},
}
CANCELLED, TIMED_OUT, HUNGRY, REQUEUED, ORPHANED = SEEDS = range(1, 6)
# Put before the clone's script of the training: it stops after its first resume file while `hold-SEED` exists, and
# takes 900 MB while `hungry-SEED` is empty.
PRELUDE = """
import time
from pathlib import Path as _Path
from counterwarp.training.checkpoints import ResumeFile

def _save(resume, progress, save=ResumeFile.save):
    save(resume, progress)
    hungry = _Path(f"hungry-{snakemake.wildcards.seed}")
    if hungry.exists() and not hungry.read_text():
        resume.taken = bytearray(900 * 2**20)
        time.sleep(60)
    while _Path(f"hold-{snakemake.wildcards.seed}").exists():
        time.sleep(0.2)

ResumeFile.save = _save
"""
ASKED = ("--set-resources", "train_classifier:mem_mb=1000 * attempt")


class Faulty(Clone):
    """A clone in which the images of every seed are drawn, and what an undisturbed training makes of them is known."""

    def __init__(self, folder):
        super().__init__(folder, **SMALL)
        whole = [f"results/whole/classifier/seed-{seed}/weights.safetensors" for seed in SEEDS]
        self.run("--config", "experiment=whole", "--", *whole, configfiles=[self.overlay])
        shutil.copytree(self.folder / "results/whole/pack", self.results / "pack")
        script = self.code / "workflow_scripts/train_classifier.py"
        script.write_text(PRELUDE + script.read_text())

    def begin(self, *seeds: int) -> subprocess.Popen:
        """Snakemake with the trainings of these seeds, each of which stops after its first resume file."""
        for seed in seeds:
            (self.folder / f"hold-{seed}").touch()
        self.overlay.write_text(yaml.safe_dump(SMALL | {"seeds": list(seeds)}))
        return self.start(*ASKED, "--until", "train_classifier")

    def release(self, seed: int) -> None:
        (self.folder / f"hold-{seed}").unlink()

    def wait_until_it_trains(self, slurm, seed: int) -> dict[str, str]:
        """The job, as soon as its training has written a resume file."""
        resume = self.results / f"classifier/seed-{seed}/resume.pt"
        wait_for(resume.exists, str(resume), 240)
        return slurm.wait_for_job(f"rule_train_classifier_wildcards_{seed}")

    def finish(self, process: subprocess.Popen) -> None:
        if process.wait(400):
            pytest.fail(f"snakemake returned {process.returncode}:\n{self.output()[-6000:]}")

    def check(self, seed: int) -> None:
        """The training is as if nothing had happened: same history, same weights, nothing left beside them."""
        trained, whole = (self.folder / f"results/{name}/classifier/seed-{seed}" for name in ("tiny", "whole"))
        assert sorted(path.name for path in trained.iterdir()) == sorted(path.name for path in whole.iterdir())
        history = pd.read_csv(trained / "history.tsv", sep="\t")
        assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
        pd.testing.assert_frame_equal(history, pd.read_csv(whole / "history.tsv", sep="\t"), rtol=1e-5)
        weights, wanted = (load_file(path / "weights.safetensors") for path in (trained, whole))
        assert weights.keys() == wanted.keys()
        for name, values in wanted.items():
            assert weights[name] == pytest.approx(values, rel=1e-5, abs=1e-7), name


@pytest.fixture(scope="module")
def clone(slurm, tmp_path_factory):
    clone = Faulty(tmp_path_factory.mktemp("faults"))
    yield clone
    clone.stop()


@pytest.fixture(scope="module")
def jobs_harmed(slurm, clone) -> dict[int, list[dict[str, str]]]:
    """One run of snakemake, to each of whose four jobs another thing happens; the Slurm jobs of each seed."""
    (clone.folder / f"hungry-{HUNGRY}").touch()
    process = clone.begin(CANCELLED, TIMED_OUT, HUNGRY, REQUEUED)
    # There are cores for two at a time, in whatever order.
    # The end of a job may not lie in the past of a daemon whose second is the next one already.
    harm = {
        CANCELLED: lambda job: ask("scancel", job),
        TIMED_OUT: lambda job: ask("scontrol", "update", f"JobId={job}", "EndTime=now+2seconds"),
        REQUEUED: lambda job: ask("scontrol", "requeue", job),
        HUNGRY: lambda job: "",
    }
    waiting = dict(harm)
    while waiting:
        trains = [seed for seed in waiting if (clone.results / f"classifier/seed-{seed}/resume.pt").exists()]
        for seed in trains:
            # Its first job; one that takes too much memory may be at an end before it is this seed's turn.
            job = slurm.jobs(f"rule_train_classifier_wildcards_{seed}")[0]
            assert waiting.pop(seed)(job["JobId"]) == ""
            # Its training goes on only in the next job.
            wait_for(lambda job=job: slurm.state(job["JobId"]) != "RUNNING", f"the job of seed {seed} to end", 120)
            if seed == HUNGRY:
                (clone.folder / f"hungry-{HUNGRY}").write_text("once")
            clone.release(seed)
        assert process.poll() is None, clone.output()[-6000:]
    clone.finish(process)
    return {seed: slurm.jobs(f"rule_train_classifier_wildcards_{seed}") for seed in harm}


def test_a_cancelled_job_is_tried_again(jobs_harmed, clone):
    first, second = jobs_harmed[CANCELLED]
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    clone.check(CANCELLED)


def test_a_job_over_its_time_is_tried_again_with_more(jobs_harmed, clone):
    first, second = jobs_harmed[TIMED_OUT]
    assert (first["JobState"], second["JobState"]) == ("TIMEOUT", "COMPLETED")
    assert second["TimeLimit"] == "2-00:00:00"
    clone.check(TIMED_OUT)


def test_a_job_over_its_memory_is_tried_again_with_more(jobs_harmed, clone):
    first, second = jobs_harmed[HUNGRY]
    assert first["JobState"] != "COMPLETED" and second["JobState"] == "COMPLETED"
    assert "exceeded memory limit" in Path(first["StdOut"]).read_text()
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("1000M", "2000M")
    clone.check(HUNGRY)


def test_a_job_requeued_in_mid_training_goes_on_from_its_resume_file(jobs_harmed, clone):
    (job,) = jobs_harmed[REQUEUED]
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")
    assert "resumes from" in (clone.results / f"logs/train_classifier_seed-{REQUEUED}.log").read_text()
    clone.check(REQUEUED)


def test_jobs_of_a_study_without_gpu_are_in_the_other_partition_and_ask_for_none(jobs_harmed):
    for job in [job for jobs in jobs_harmed.values() for job in jobs]:
        assert job["Partition"] == "cpu" and "gpu" not in job.get("TresPerJob", "")


def test_a_drained_node_a_killed_master_and_an_interrupted_one_lose_nothing(slurm, clone):
    """The steps of docs/hpc.md, one after the other, on one training."""
    ask("scontrol", "update", f"NodeName={slurm.node}", "State=DRAIN", "Reason=test")
    master = clone.begin(ORPHANED)
    try:
        slurm.wait_for_job(f"rule_train_classifier_wildcards_{ORPHANED}", "PENDING")
    finally:
        ask("scontrol", "update", f"NodeName={slurm.node}", "State=RESUME")
    job = clone.wait_until_it_trains(slurm, ORPHANED)
    master.kill()
    master.wait()
    # The job goes on without its master, and another master would start a second one beside it.
    assert slurm.state(job["JobId"]) == "RUNNING"
    ask("scancel", "--name", job["JobName"])
    wait_for(lambda: slurm.state(job["JobId"]) == "CANCELLED", "the orphan to end")

    refused = clone.begin(ORPHANED)
    assert refused.wait(60) != 0 and "--unlock" in clone.output()
    assert clone.start("--unlock").wait(60) == 0
    again = clone.begin(ORPHANED)
    job = wait_for(lambda: slurm.jobs(f"rule_train_classifier_wildcards_{ORPHANED}", "RUNNING"), "a new job")[-1]
    again.send_signal(signal.SIGINT)
    assert again.wait(120) != 0
    wait_for(lambda: slurm.state(job["JobId"]) == "CANCELLED", "the job to be cancelled")

    last = clone.begin(ORPHANED)
    clone.release(ORPHANED)
    clone.finish(last)
    log = (clone.results / f"logs/train_classifier_seed-{ORPHANED}.log").read_text()
    assert "resumes from" in log
    clone.check(ORPHANED)
