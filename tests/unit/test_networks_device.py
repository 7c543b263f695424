"""Where networks run, and what is asked of the memory there."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from counterwarp.errors import ConfigError
from counterwarp.networks.device import prepare

FAULTS = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import torch
from counterwarp.networks.device import KEPT_UP_TO, prepare
prepare("cpu", 1, voxels=KEPT_UP_TO + (sys.argv[2] == "large"))
def fill(times):
    for _ in range(times):
        torch.ones(2**24)
fill(20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
fill(20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told to keep memory")
def test_freed_memory_is_used_again():
    """Tensors of 64 MB, each freed before the next: mapped anew, as for large images, they fault on all their pages."""
    folder = Path(__file__).resolve().parents[2] / "workflow_scripts"

    def faults(how):
        command = [sys.executable, "-c", FAULTS, folder, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("small") < 0.05 * faults("large")


def test_an_unknown_device_is_refused_and_the_seed_repeats():
    with pytest.raises(ConfigError, match="'tpu'"):
        prepare("tpu", 1)
    threads = torch.get_num_threads()
    drawn = []
    for _ in range(2):
        assert prepare("cpu", 1, seed=7).type == "cpu"
        drawn.append(torch.rand(3))
    torch.set_num_threads(threads)
    assert torch.equal(*drawn)
