"""At demo size starting a process is most of a step: the steps of one scan import no heavy package."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = Path(__file__).parents[2] / "workflow_scripts"
HEAVY = {"ants", "matplotlib.pyplot", "monai", "nilearn", "nipype", "pandas", "scipy.stats", "sklearn", "statsmodels"}
HEAVY |= {"torch"}
STEPS = {
    "prepare_scan": ["imaging.conform", "imaging.bias"],
    "strip": ["imaging.strip"],
    "register": ["imaging.register"],
    "normalise": ["imaging.normalise"],
    "qc": ["imaging.qc", "figures.scan_check"],
    "syn": ["imaging.warp"],
    "segment": ["imaging.segment"],
    "measure_regions": ["imaging.regions"],
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_one_scan_imports_nothing_heavy(step):
    modules = [f"counterwarp.{name}" for name in [*STEPS[step], "workflow"]]
    program = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=CODE, capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.split())


def test_the_list_is_that_of_the_scripts():
    for step, modules in STEPS.items():
        text = (CODE / f"{step}.py").read_text()
        assert all(f"from counterwarp.{module} import" in text for module in modules)
