"""That a cohort streams: seconds, disk and memory of packing N volumes of 64^3, training on them and explaining some.

    python tests/bench/streaming.py [scans]

40,000 scans if nothing is said, whose pack is 21 GB in a temporary folder, which is removed. The functions are
those of the workflow; the scans are stand-ins: N names of 16 images, so that packing reads N files of which most are in
the system's cache. The simulator draws from all scans but eight (its fingerprint reads all of them); an epoch of the
classifier would be as many steps as there are batches, so that it gets 64 scans; 64 are explained. Both samples are
spread over the pack. Networks are small, so that what memory holds is scans. Each stage runs in a process of its own,
on one thread.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow_scripts"))

from counterwarp.explain import build
from counterwarp.explain.outputs import write_simulation
from counterwarp.imaging.io import write_image
from counterwarp.imaging.pack import pack
from counterwarp.networks import files
from counterwarp.networks.device import prepare
from counterwarp.networks.simulator import Simulator
from counterwarp.training.classifier import train_classifier
from counterwarp.training.cycle import train_simulator
from counterwarp.training.pack import Pack, read_pack
from counterwarp.workflow.step import peak_memory_mb

EDGE, IMAGES, FEW, VALIDATION = 64, 16, 64, 8
OF_CLASSIFIER = {
    "channels": [4, 8],
    "hidden": 8,
    "dropout": 0.0,
    "batch_norm": True,
    "flip": True,
    "shift_voxels": 1,
    "intensity": 0.2,
    "label_smoothing": 0.1,
    "mixup": 1.0,
    "perturbation": 0.0,
    "perturbation_share": 0.5,
    "plain_until": 0.0,
    "learning_rate": 0.001,
    "weight_decay": 0.0001,
    "batch_size": 8,
    "epochs": 1,
    "report_every": 1,
    "average_from": 1.0,
    "precision": "float32",
}
OF_SIMULATOR = {
    "channels": [4, 8, 8],
    "fully_connected": 8,
    "experts": 2,
    "output": "displacement",
    "output_level": 1,
    "delta": 3.0,
    "logit_weight": 1.0,
    "cycle_weight": 10.0,
    "smoothness_weight": 100.0,
    "flip": True,
    "learning_rate": 0.001,
    "gradient_norm": 10.0,
    "batch_size": 4,
    "steps": 5,
    "recalibration_batches": 2,
    "report_every": 5,
    "precision": "float32",
}


def labels(scans: int) -> pd.DataFrame:
    """Every second scan is a patient's; the first few are for validation."""
    number = np.arange(scans)
    return pd.DataFrame(
        {
            "scan": [f"sub-{n:06d}" for n in number],
            "subject": [f"{n:06d}" for n in number],
            "group": np.where(number % 2, "patient", "control"),
            "split": np.where(number < VALIDATION, "validation", "train"),
            "baseline": True,
        }
    )


def spread(cohort: Pack) -> np.ndarray:
    """A few rows of all, of both groups, from the first after those of validation to the last."""
    return np.linspace(VALIDATION, len(cohort.index) - 1, FEW).astype(int)


def write_pack(folder: Path, scans: int) -> None:
    brain = np.linalg.norm(np.indices((EDGE,) * 3) - EDGE / 2, axis=0) < 0.45 * EDGE
    rng, affine = np.random.default_rng(1), np.diag([3.0, 3.0, 3.0, 1.0])
    write_image(brain, affine, folder / "brain.nii.gz", "MNI152")
    for number in range(IMAGES):
        image = (brain * rng.normal(size=brain.shape)).astype(np.float32)
        write_image(image, affine, folder / f"{number}.nii.gz", "MNI152")
    table = labels(scans)
    images = {scan: str(folder / f"{number % IMAGES}.nii.gz") for number, scan in enumerate(table["scan"])}
    outputs = [folder / name for name in ("images.npy", "index.tsv", "mask.npy", "affine.json")]
    pack(table, images, folder / "brain.nii.gz", [EDGE] * 3, 3.0, 0, *outputs)


def teach_classifier(folder: Path, cohort: Pack, device) -> None:
    few = cohort.index.assign(split=cohort.index["split"].where(cohort.index["row"] < VALIDATION, "test"))
    few.loc[spread(cohort), "split"] = "train"
    network, _ = train_classifier(Pack(cohort.images, few), OF_CLASSIFIER, device, folder / "classifier.pt")
    files.save(network, folder / "classifier.safetensors", folder / "classifier.json")


def teach_simulator(folder: Path, cohort: Pack, device) -> None:
    classifier = files.load_classifier(folder / "classifier.safetensors", folder / "classifier.json")
    network, _ = train_simulator(cohort, classifier, OF_SIMULATOR, device, folder / "simulator.pt")
    files.save(network, folder / "simulator.safetensors", folder / "simulator.json")


def explain(folder: Path, cohort: Pack, device) -> None:
    classifier = files.load_classifier(folder / "classifier.safetensors", folder / "classifier.json")
    simulator = files.load([Simulator], folder / "simulator.safetensors", folder / "simulator.json")
    rows = spread(cohort)
    arrays = {name: folder / f"{name}.npy" for name in ("maps", "displacement", "simulated", "change", "cycled")}
    tables = {name: folder / f"{name}.tsv" for name in ("logits", "quality")}
    write_simulation(
        build("cycle", classifier, simulator),
        cohort.stream(rows, device),
        cohort.patients[rows],
        cohort.index.loc[rows],
        folder / "mask.npy",
        **arrays,
        **tables,
    )


ON_PACK = {"classifier": teach_classifier, "simulator": teach_simulator, "explain": explain}


def measure(stage: str, folder: Path, scans: int) -> dict:
    """Wall and CPU seconds of a stage, bytes that it left, and the most memory that its process has held."""
    before, wall, cpu = size(folder), time.monotonic(), time.process_time()
    if stage == "pack":
        write_pack(folder, scans)
    else:
        device = prepare("cpu", threads=1, seed=1)
        ON_PACK[stage](folder, read_pack(folder / "images.npy", folder / "index.tsv"), device)
    spent = {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}
    return {"stage": stage, **spent, "disk_mb": (size(folder) - before) / 1e6, "peak_mb": peak_memory_mb()}


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def main(scans: int) -> None:
    print(f"{scans} scans of {EDGE}^3")
    with tempfile.TemporaryDirectory(prefix="counterwarp-streaming-") as folder:
        for stage in ("pack", *ON_PACK):
            command = [sys.executable, __file__, "--measure", stage, folder, str(scans)]
            row = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
            numbers = ", ".join(f"{name} {row[name]:.1f}" for name in ("wall_s", "cpu_s", "disk_mb", "peak_mb"))
            print(f"{stage}: {numbers}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 40_000)
