"""The tiny cohort, whole, through `snakemake --profile slurm` on a real Slurm of one node."""

import json
import re

import pandas as pd
import pytest
from conftest import Clone

# Eight scans of six subjects, one method of each kind.
SMALL = {
    "seeds": [1],
    "threads": 2,
    "cohort": {"validation_share": 0.3, "test_share": 0.3, "demo": {"controls": 3, "patients": 3}},
    "explain": {"methods": ["cycle", "backprop"]},
    "sanity": {"methods": ["backprop"]},
}
ON_GPU = {"train_classifier", "train_simulator", "explain_saliency", "explain_simulator", "sanity_table"}
# Added to scripts of the clone: how many threads each library takes in this job, and what idle ones do.
PROBE = """
import json, os
import numpy, SimpleITK, torch
from pathlib import Path
from threadpoolctl import threadpool_info
numpy.ones((2, 2)) @ numpy.ones((2, 2))
threads = {"torch": torch.get_num_threads(), "ITK": SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads()}
threads["BLAS"] = max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
threads["idle"] = os.environ["OMP_WAIT_POLICY"]
Path("threads").mkdir(exist_ok=True)
Path("threads", snakemake.rule + ".json").write_text(json.dumps(threads))
"""
# Added to the script that simulates scans: one of them is broken off.
BREAK = """
if snakemake.wildcards.scan == "{scan}":
    with open(snakemake.output.image, "rb+") as image:
        image.truncate(20_000)
"""


@pytest.fixture(scope="session")
def whole(slurm, tmp_path_factory) -> Clone:
    clone = Clone(tmp_path_factory.mktemp("whole"), **SMALL)
    # The table of scans is written when the workflow is read; without a control's second scan no split is empty.
    clone.submit("--dry-run")
    scans = pd.read_csv(clone.results / "cohort/scans.tsv", sep="\t", dtype=str)
    clone.broken = scans[(scans["group"] == "control") & (scans["session"] == "02")]["scan"].item()
    with open(clone.code / "workflow_scripts/simulate_scan.py", "a") as file:
        file.write(BREAK.format(scan=clone.broken))
    for script in ("normalise", "train_classifier"):
        with open(clone.code / f"workflow_scripts/{script}.py", "a") as file:
            file.write(PROBE)
    clone.submit("--group-components", "scan=5", "pair=5")
    return clone


def rule_of(job: dict[str, str]) -> str:
    return re.match(r"rule_(.+?)(_wildcards_|$)", job["Comment"])[1]


def test_everything_is_made_and_of_a_group_the_broken_scan_alone_fails(whole):
    tables = whole.results / "tables"
    failures = pd.read_csv(tables / "failures.tsv", sep="\t")
    assert failures[["scan", "rule"]].values.tolist() == [[whole.broken, "prepare_scan"]]
    states = pd.read_csv(tables / "qc.tsv", sep="\t").set_index("scan")["state"]
    assert len(states) == 8 and states[states == "failed"].index.tolist() == [whole.broken]
    assert len(pd.read_csv(whole.results / "pack/index.tsv", sep="\t")) == 7
    assert set(pd.read_csv(tables / "methods.tsv", sep="\t")["method"]) == {"cycle", "backprop"}


def test_a_group_of_scans_is_one_job_and_small_rules_are_none(whole, slurm):
    rules = [rule_of(job) for job in slurm.jobs() if job["WorkDir"] == str(whole.folder)]
    of_scans = [rule for rule in rules if rule.startswith("scan_")]
    # Nine steps of eight scans, five scans a job.
    assert len(of_scans) == 2
    assert rules.count("observed_change") + len([rule for rule in rules if rule.startswith("pair_")]) == 1
    assert not [
        rule for rule in rules if rule.endswith(("_figure", "_page")) or rule in ("atlas", "parcellation", "cost_table")
    ]


def test_networks_and_nothing_else_run_in_the_gpu_partition_with_a_gpu(whole, slurm):
    jobs = [job for job in slurm.jobs() if job["WorkDir"] == str(whole.folder)]
    assert {rule_of(job) for job in jobs if job["Partition"] == "gpu"} == ON_GPU
    for job in jobs:
        asked = "gpu" in job.get("TresPerJob", "")
        assert asked == (job["Partition"] == "gpu") and job["JobState"] == "COMPLETED"


def test_memory_and_time_are_asked_for_and_one_core_a_thread(whole, slurm):
    jobs = {rule_of(job): job for job in slurm.jobs() if job["WorkDir"] == str(whole.folder)}
    assert jobs["train_simulator"]["TimeLimit"] == "1-00:00:00"
    assert jobs["train_simulator"]["MinMemoryNode"] == "4000M"
    assert jobs["train_simulator"]["NumCPUs"] == "2" and jobs["pack"]["NumCPUs"] == "1"


def test_libraries_take_the_threads_of_their_rule(whole):
    for rule, threads in (("normalise", 1), ("train_classifier", 2)):
        told = json.loads((whole.folder / f"threads/{rule}.json").read_text())
        assert told == {"torch": threads, "ITK": threads, "BLAS": threads, "idle": "passive"}


def test_the_report_says_where_each_job_ran(whole, slurm):
    places = pd.read_csv(whole.results / "tables/cost.tsv", sep="\t").set_index("rule")["places"]
    assert places["train_classifier"] == f"{slurm.node} (gpu)" and places["prepare_scan"] == f"{slurm.node} (cpu)"
    assert places["group_figure"] == slurm.node
    jobs = pd.read_csv(whole.results / "tables/jobs.tsv", sep="\t").set_index("rule")["place"]
    assert set(jobs["prepare_scan"]) == {f"{slurm.node} (cpu)"} and len(jobs["prepare_scan"]) == 8
    for page in ("cost", "jobs"):
        assert f"{slurm.node} (gpu)" in (whole.results / f"report/{page}.html").read_text()


def test_the_logs_of_slurm_lie_in_one_place_and_a_second_run_does_nothing(whole, slurm):
    jobs = len(slurm.jobs())
    assert "Nothing to be done" in whole.submit()
    assert len(slurm.jobs()) == jobs
    outputs = {job["StdOut"] for job in slurm.jobs() if job["WorkDir"] == str(whole.folder)}
    assert outputs and all(path.startswith(f"{whole.folder}/slurm-logs/") for path in outputs)
