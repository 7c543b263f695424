"""How often Snakemake looks for jobs that can start."""

import yaml
from running import Workflow

SMALL = {"device": "cpu", "seeds": [1, 2, 3], "cohort": {"source": "gaussians", "gaussians": {"each": 20}}}
WAIT = "import time\ntime.sleep(3)\n"


def looks(folder, *arguments: str) -> int:
    """With three jobs of three seconds and more, one after the other."""
    workflow = Workflow(folder)
    script = workflow.code / "workflow_scripts/draw_benchmark.py"
    script.write_text(WAIT + script.read_text())
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    images = [f"results/tiny/pack/seed-{seed}/images.npy" for seed in SMALL["seeds"]]
    one_core = ("--cores", "1", "--scheduler", "greedy", "--verbose", *arguments)
    return workflow.run(*one_core, "--", *images, configfiles=[folder / "small.yaml"]).count("Ready jobs: ")


def test_it_looks_when_a_job_ends_and_else_only_where_a_user_sets_a_limit(tmp_path):
    assert looks(tmp_path / "own") == 3
    assert looks(tmp_path / "limited", "--max-jobs-per-timespan", "50/1s") > 6
