"""A training that is killed goes on where it was, to the same weights; a resume file of another training is ignored."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from counterwarp.training.checkpoints import ResumeFile, fingerprint
from safetensors.torch import load_file

SCRIPT = """
import sys, time
from pathlib import Path
import numpy as np, pandas as pd, torch
from counterwarp.networks import files
from counterwarp.networks.classifier import Classifier
from counterwarp.networks.device import prepare
from counterwarp.training.adversarial import train_generator
from counterwarp.training.checkpoints import ResumeFile
from counterwarp.training.classifier import train_classifier
from counterwarp.training.cycle import train_simulator
from counterwarp.training.pack import Pack

folder, kind, pause = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
device = prepare("cpu", threads=1, seed=7)
rows = [
    {"scan": f"{s}{g}{i}", "subject": f"{s}{g}{i}", "group": g, "split": s, "baseline": True}
    for s in ("train", "validation") for g in ("control", "patient") for i in range(4)
]
pack = Pack(np.random.default_rng(1).normal(size=(16, 8, 8)).astype(np.float16), pd.DataFrame(rows))
save = ResumeFile.save
def slow_save(self, progress):
    save(self, progress)
    time.sleep(pause)
ResumeFile.save = slow_save
if kind == "classifier":
    settings = dict(channels=[2], batch_norm=True, average_from=0.5, report_every=1, hidden=4, dropout=0.2, flip=True,
                    precision="float32", shift_voxels=1, intensity=0.1, label_smoothing=0.1,
                    mixup=1.0, perturbation=0.01, perturbation_share=0.5, plain_until=0.0,
                    learning_rate=0.01, weight_decay=1e-4, batch_size=3, epochs=8)
    network, _ = train_classifier(pack, settings, device, folder / "resume.pt")
elif kind == "generator":
    settings = dict(channels=[2, 3], critic_network="plain", critic_channels=[[2], [3]], output_scale=1.0,
                    fill=None, critic="wgan_gp",
                    penalty_weight=10.0, regulariser_weight=1.0, learning_rate=0.01, batch_size=2, flip=True,
                    precision="float32", report_every=2, stages=[dict(generator_updates=4, critic_updates=3),
                                            dict(generator_updates=12, critic_updates=1)])
    network, _ = train_generator(pack, settings, device, folder / "resume.pt")
else:
    classifier = Classifier((8, 8), [2], 4, 0.0)
    settings = dict(channels=[2, 3], fully_connected=4, experts=2, output="displacement",
                    output_level=0, delta="auto", logit_weight=1.0,
                    cycle_weight=10.0, smoothness_weight=5.0, flip=True, learning_rate=0.01, gradient_norm=10.0,
                    batch_size=2, steps=16, recalibration_batches=2, report_every=2, precision="float32")
    network, _ = train_simulator(pack, classifier, settings, device, folder / "resume.pt")
files.save(network, folder / "weights.safetensors", folder / "architecture.json")
"""


def start(folder: Path, kind: str, pause: float) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    here = Path(__file__).resolve().parents[2] / "workflow_scripts"
    environment = os.environ | {"PYTHONPATH": str(here), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(folder), kind, str(pause)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


def progress(resume: Path) -> int:
    if not resume.exists():
        return 0
    state = torch.load(resume, weights_only=True)["progress"]
    return next(state[unit] for unit in ("epoch", "step", "update") if unit in state)


@pytest.mark.parametrize(
    ("kind", "halfway", "all_of_it"), [("classifier", 3, 8), ("simulator", 6, 16), ("generator", 6, 16)]
)
def test_a_training_killed_outright_resumes_to_the_weights_of_an_uninterrupted_one(tmp_path, kind, halfway, all_of_it):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole, kind, 0).wait() == 0
    process = start(killed, kind, 1.0)
    while progress(killed / "resume.pt") < halfway:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "weights.safetensors").exists()
    assert halfway <= progress(killed / "resume.pt") < all_of_it
    assert start(killed, kind, 0).wait() == 0
    expected, resumed = (load_file(folder / "weights.safetensors") for folder in (whole, killed))
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)


def part():
    return torch.nn.Linear(2, 2)


def test_what_was_saved_is_restored_with_the_random_state(tmp_path):
    network = part()
    file = ResumeFile(tmp_path / "deep" / "resume.pt", "a", {"network": network})
    torch.manual_seed(3)
    file.save({"step": 5, "history": [{"loss": 0.25}], "best": None})
    drawn = torch.rand(3)
    other = part()
    restored = ResumeFile(tmp_path / "deep" / "resume.pt", "a", {"network": other}).restore()
    assert restored == {"step": 5, "history": [{"loss": 0.25}], "best": None}
    assert torch.equal(other.weight, network.weight)
    assert torch.equal(torch.rand(3), drawn)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["resume.pt"]
    file.remove()
    assert file.restore() is None


def test_a_file_of_other_settings_or_data_is_ignored_with_a_line_in_the_log(tmp_path, caplog):
    ResumeFile(tmp_path / "resume.pt", "a", {"network": part()}).save({"step": 5})
    network = part()
    before = network.weight.clone()
    assert ResumeFile(tmp_path / "resume.pt", "b", {"network": network}).restore() is None
    assert torch.equal(network.weight, before)
    assert "other settings or data" in caplog.text


@pytest.mark.parametrize("content", [b"", b"half a fi"])
def test_a_damaged_file_is_ignored_with_a_line_in_the_log(tmp_path, caplog, content):
    (tmp_path / "resume.pt").write_bytes(content)
    assert ResumeFile(tmp_path / "resume.pt", "a", {"network": part()}).restore() is None
    assert "cannot be read" in caplog.text


def test_the_fingerprint_sees_settings_data_and_shape():
    data = np.arange(6, dtype=np.float16)
    same = fingerprint({"a": 1, "b": [2]}, data)
    assert same == fingerprint({"b": [2], "a": 1}, data.copy())
    assert same != fingerprint({"a": 1, "b": [3]}, data)
    assert same != fingerprint({"a": 1, "b": [2]}, data + 1)
    assert same != fingerprint({"a": 1, "b": [2]}, data.reshape(2, 3))
