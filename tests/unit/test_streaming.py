"""A cohort is read and written a few scans at a time: the same numbers, and memory that does not grow with it."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from counterwarp.arrays import AT_A_TIME, ArrayFile, Rows, blocks, mean_rows, release
from counterwarp.training.pack import Pack

SCRIPT = """
import json, re, sys
from pathlib import Path
import numpy as np, pandas as pd, torch
from counterwarp.arrays import Rows
from counterwarp.explain import build
from counterwarp.explain.outputs import write_maps, write_simulation
from counterwarp.imaging.io import write_image
from counterwarp.imaging.pack import pack as write_pack
from counterwarp.networks.simulator import Simulator
from counterwarp.stats.evaluate import Explained, Truth, evaluate
from counterwarp.stats.longitudinal import score_methods
from counterwarp.stats.sanity import similarities, similarity
from counterwarp.training.adversarial import train_generator
from counterwarp.training.classifier import logits, train_classifier
from counterwarp.training.cycle import train_simulator
from counterwarp.training.pack import read_pack
from counterwarp.training.sanity import randomise

GRID = (16, 20, 16)
OF_CLASSIFIER = dict(channels=[2], batch_norm=True, average_from=0.0, report_every=1, hidden=2, dropout=0.0, flip=False,
                     precision="float32", shift_voxels=0, intensity=0.0, label_smoothing=0.0, mixup=0.0,
                     perturbation=0.0, perturbation_share=0.5, plain_until=0.0,
                     learning_rate=0.01, weight_decay=0.0, batch_size=16, epochs=1)
OF_SIMULATOR = dict(channels=[2, 3], fully_connected=4, experts=2, output="displacement", output_level=1, delta="auto",
                    logit_weight=1.0, cycle_weight=10.0, smoothness_weight=5.0, flip=True, learning_rate=0.01,
                    gradient_norm=10.0, batch_size=4, steps=1, recalibration_batches=2, report_every=1,
                    precision="float32")
OF_GENERATOR = dict(channels=[2, 3], critic_network="plain", critic_channels=[[2], [3]], output_scale=1.0, fill=None,
                    critic="wgan_gp", penalty_weight=10.0, regulariser_weight=1.0, learning_rate=0.01, batch_size=4,
                    flip=True, report_every=1, precision="float32",
                    stages=[dict(generator_updates=1, critic_updates=1)])
# As `prepare` does, but for keeping freed memory, which would hide what is needed.
torch.set_num_threads(1)
torch.manual_seed(1)
device = torch.device("cpu")
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16 * 20 * 16, 1), torch.nn.Flatten(0))
simulator = Simulator(grid=GRID, channels=[2, 3], fully_connected=4, experts=2, output_level=1).eval()

def peak(work):
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    work()
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

def peaks(folder, scans):
    folder.mkdir()
    np.lib.format.open_memmap(folder / "images.npy", "w+", np.float16, (scans, *GRID))
    rows = [
        {"row": row, "scan": f"sub-{row}", "subject": str(row), "group": ("control", "patient")[row % 2],
         "split": "train" if row < scans / 2 else "validation", "baseline": True}
        for row in range(scans)
    ]
    pd.DataFrame(rows).to_csv(folder / "index.tsv", sep="\\t", index=False)
    np.save(folder / "mask.npy", np.ones(GRID, bool))
    pack = read_pack(folder / "images.npy", folder / "index.tsv")
    images, resume = pack.stream(pack.index.index, device), folder / "resume.pt"
    outputs = {name: folder / f"{name}.npy" for name in ("maps", "displacement", "simulated", "change", "cycled")}
    outputs |= {name: folder / f"{name}.tsv" for name in ("logits", "quality")}
    backprop, cycle = build("backprop", network), build("cycle", network, simulator)
    anew, mask = {"anew": build("backprop", randomise(network, 1, 1))}, np.load(folder / "mask.npy")
    brain, regions, tested = folder / "brain.nii.gz", folder / "regions.tsv", pack.index.assign(split="test")
    write_image(mask.astype(np.int16), np.eye(4), brain, "MNI152")
    regions.write_text("index\\tname\\ttissue\\n1\\tbrain\\tGM\\n")
    twice = [Explained("backprop", seed, outputs["maps"], "", brain, None) for seed in (1, 2)]
    truth = Truth(outputs["maps"], brain, brain, brain, regions)
    # What two scans show is held of all pairs together, the methods' maps are not: many pairs share one array.
    of_pairs = {name: np.array([name] * scans) for name in ("subject", "split", "earlier", "later")}
    shown = {"row": np.arange(scans), **{name: np.broadcast_to(mask, (scans, *GRID)) for name in ("change", "mask")}}
    image, packed = folder / "image.nii", [folder / f"packed{end}" for end in (".npy", ".tsv", "_mask.npy", ".json")]
    write_image(np.ones(GRID, np.float32), np.eye(4), image, "MNI152")
    normalised = dict.fromkeys(pack.index["scan"], image)
    opened = lambda: np.load(outputs["maps"], mmap_mode="r")
    found = lambda: Rows(opened(), pack.index.index)
    works = {
        # Of half of them: to open an image takes longer than all else here, and 735 more are still 7.5 MB packed.
        "pack": lambda: write_pack(pack.index[: scans // 2], normalised, brain, GRID, 1.0, 0, *packed),
        "classifier": lambda: logits(train_classifier(pack, OF_CLASSIFIER, device, resume)[0], images),
        "simulator": lambda: train_simulator(pack, network, OF_SIMULATOR, device, resume),
        "generator": lambda: train_generator(pack, OF_GENERATOR, device, resume),
        "maps": lambda: write_maps(backprop, images, pack.patients, outputs["maps"]),
        "simulation": lambda: write_simulation(
            cycle, images, pack.patients, pack.index, folder / "mask.npy", **outputs
        ),
        "similarities": lambda: similarities(backprop, anew, images, pack.patients, mask),
        "similarity": lambda: similarity(found(), found(), mask),
        "evaluation": lambda: evaluate(twice, tested, mask, truth),
        "pairs": lambda: score_methods({("a", "1"): opened()}, of_pairs | shown, opened()),
    }
    return {name: peak(work) for name, work in works.items()}

folder = Path(sys.argv[1])
# The first round loads what is loaded once.
rounds = [peaks(folder / name, scans) for name, scans in (("first", 100), ("few", 130), ("many", 1600))]
print(json.dumps(rounds[1:]))
"""


def test_memory_does_not_grow_with_the_cohort(tmp_path):
    # Every array goes back to the system when it is freed, so that holes in the heap are not counted.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    few, many = json.loads(done.stdout)
    # 1,470 scans are 15 MB packed and 30 MB as training and methods see them.
    assert {work: many[work] - few[work] for work in few if many[work] - few[work] > 6} == {}


@pytest.fixture
def pack(tmp_path) -> Pack:
    images = np.random.default_rng(1).normal(size=(70, 4, 5, 6)).astype(np.float16)
    np.save(tmp_path / "images.npy", images)
    return Pack(np.load(tmp_path / "images.npy", mmap_mode="r"), pd.DataFrame({"row": range(70)}))


def test_streamed_images_are_those_of_the_whole_cohort_in_memory(pack):
    whole = torch.from_numpy(np.array(pack.images).astype(np.float32))[:, None]
    rows = np.array([69, 3, 3, 40, 12])
    images = pack.stream(rows, torch.device("cpu"))
    assert len(images) == 5
    assert torch.equal(pack.tensor(rows), whole[rows])
    assert torch.equal(images[torch.tensor([4, 0, 0])], whole[[12, 69, 69]])
    for size in (1, 2, 5, 8):
        expected = whole[rows].split(size)
        assert [len(batch) for batch in images.split(size)] == [len(batch) for batch in expected]
        assert all(torch.equal(*both) for both in zip(images.split(size), expected, strict=True))


def test_a_released_array_keeps_what_was_written_and_can_be_read_again(tmp_path):
    array = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.float32, (3, 2000))
    array[1] = 7
    release(array)
    assert array[1].tolist() == [7] * 2000 and not array[2].any()
    release(array[1])
    release(np.zeros(3))


def test_rows_come_one_by_one_and_their_mean_is_that_of_all_in_memory(pack, tmp_path):
    other, rows = tmp_path / "other.npy", np.array([69, 3, 3, 40])
    np.save(other, np.array(pack.images)[::-1])
    assert np.array_equal(list(Rows(pack.images, rows)), np.array(pack.images)[rows])
    both = np.stack([np.array(pack.images), np.load(other)])
    assert np.array_equal(list(mean_rows([tmp_path / "images.npy", other], rows)), both[:, rows].mean(0))


def test_blocks_hold_every_row_once_and_in_order(pack):
    rows = np.arange(70)[::-1]
    for array, whole in ((pack.images, np.array(pack.images)), (Rows(pack.images, rows), np.array(pack.images)[rows])):
        assert array.shape == whole.shape and array.dtype == whole.dtype
        pieces = [np.array(block) for block in blocks(array)]
        assert [len(piece) for piece in pieces] == [AT_A_TIME, 70 - AT_A_TIME]
        assert np.array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_an_array_written_by_rows_has_the_bytes_of_one_saved_at_once(tmp_path, dtype):
    values = np.random.default_rng(2).normal(size=(5, 3, 4))
    np.save(tmp_path / "whole.npy", values.astype(dtype))
    with ArrayFile(tmp_path / "rows.npy", dtype, (5, 3, 4)) as file:
        file.write(values[:2])
        file.write(values[2:])
    assert (tmp_path / "rows.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_rows_of_another_shape_and_missing_rows_are_errors(tmp_path):
    file = ArrayFile(tmp_path / "a.npy", np.float16, (5, 3, 4))
    with pytest.raises(ValueError, match=r"rows of \(4, 3\) in an array of \(5, 3, 4\)"), file:
        file.write(np.zeros((1, 4, 3)))
    with pytest.raises(ValueError, match="2 rows were written, 5 were announced"), file:
        file.write(np.zeros((2, 3, 4)))
