"""Time one joint training step at the paper's size, the straightforward form and ours, and compare their numbers.

The straightforward form loops over the images with one convolution each by torch's own layers, its tensors are
contiguous, both directions of the cycle are computed separately, and so are the images' logits in each step, which ours
has from before the training. Ours also has the C library keep freed memory (what that alone gives is shown too), and
idle threads sleep, as the Snakefile has it for every job.

Usage: python tests/bench/joint_step.py [results/bench/joint_step.tsv]

64^3 voxels, batch 4 (two controls, two patients), simulator 16-32-64-16-16 with fully connected 512 and three experts,
classifier 16-32-64-16, two threads. Each form runs in a process of its own, so that its peak memory is its own.
"""

import json
import math
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import torch
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow_scripts"))

from counterwarp.networks.classifier import Classifier, frozen
from counterwarp.networks.condconv import CondConv
from counterwarp.networks.device import manage_freed_memory
from counterwarp.networks.layers import Convolution3d
from counterwarp.networks.simulator import INJECT, REMOVE, Simulator
from counterwarp.networks.warp import warp
from counterwarp.training.cycle import diffusion, logit_shift_loss, objective

FORMS = ("straightforward", "straightforward, keeping freed memory", "ours")
# A machine's speed may change within minutes: the forms take turns, and of each the fastest round counts.
GRID, BATCH, THREADS, REPEATS, ROUNDS = (64, 64, 64), 4, 2, 3, 3
SETTINGS = {
    "logit_loss": "shift",
    "delta": 12.5,
    "logit_weight": 1.0,
    "cycle_weight": 1.0,
    "smoothness_weight": 0.02 * 64**3,
}


def networks() -> tuple[Simulator, Classifier, torch.Tensor, torch.Tensor]:
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    simulator = Simulator(GRID, (16, 32, 64, 16, 16), 512, 3)
    # A last layer of ordinary size, so that the numbers compared are not all near zero.
    torch.nn.init.normal_(simulator.last.weight, std=0.01)
    classifier = Classifier(GRID, (16, 32, 64, 16), 64, 0.05).eval().requires_grad_(False)
    # The same statistics however the batch is cut, so that the two forms compute the same.
    simulator.eval()
    task = torch.tensor([INJECT] * (BATCH // 2) + [REMOVE] * (BATCH // 2))
    return simulator, classifier, torch.randn(BATCH, 1, *GRID), task


def looped(layer: CondConv, features: torch.Tensor, task: torch.Tensor) -> torch.Tensor:
    """A conditional convolution as one would first write it: one image after the other."""
    outputs = []
    for image, t in zip(features, task, strict=True):
        alpha = torch.sigmoid(layer.routing(torch.cat([image.flatten(1).mean(1), t[None]])))
        kernel = sum(a * weight for a, weight in zip(alpha, layer.weight, strict=True))
        bias = sum(a * b for a, b in zip(alpha, layer.bias, strict=True))
        outputs.append(layer.convolve(image[None], kernel, bias, padding=1))
    return torch.cat(outputs)


def straightforward(simulator, classifier, images, task, before=None) -> torch.Tensor:
    """Each direction of the cycle for itself, every logit computed where it is needed."""
    total = 0
    for direction in (INJECT, REMOVE):
        part, its_task = images[task == direction], task[task == direction]
        displacement = simulator(part, its_task)
        simulated = warp(part, displacement)
        back = simulator(simulated, 1 - its_task)
        cycled = warp(simulated, back)
        shift = logit_shift_loss(classifier(part), classifier(simulated), its_task, SETTINGS["delta"])
        smoothness = (diffusion(displacement) + diffusion(back)) / 2
        cycle = (cycled - part).square().mean()
        total = total + (
            SETTINGS["logit_weight"] * shift
            + SETTINGS["cycle_weight"] * cycle
            + SETTINGS["smoothness_weight"] * smoothness
        )
    return total / 2


def ours(simulator, classifier, images, task, before) -> torch.Tensor:
    return objective(simulator, classifier, images, task, SETTINGS, before)["total"]


def measure(form: str) -> dict:
    """CPU and wall seconds of the fastest of REPEATS steps, peak memory, and the numbers reached."""
    simulator, classifier, images, task = networks()
    optimiser = torch.optim.Adam(simulator.parameters(), lr=1e-4, fused=form == "ours")
    if form != "straightforward":
        manage_freed_memory(math.prod(GRID))
    before = None
    if form != "ours":
        CondConv.forward, Convolution3d.forward = looped, torch.nn.Conv3d.forward
        classifier.to(memory_format=torch.contiguous_format)
    else:
        classifier = frozen(classifier)
        with torch.no_grad():
            before = classifier(images)
    compute = ours if form == "ours" else straightforward
    times = []
    for repeat in range(REPEATS + 1):
        cpu, wall = time.process_time(), time.perf_counter()
        total = compute(simulator, classifier, images, task, before)
        optimiser.zero_grad()
        total.backward()
        if repeat == 0:
            norm = torch.stack([p.grad.norm() for p in simulator.parameters() if p.grad is not None])
            numbers = {"loss": total.item(), "gradient": norm.tolist()}
        optimiser.step()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu, wall = min(times[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"name": "joint_step", "variant": form, "cpu_s": cpu, "wall_s": wall, "peak_mb": peak, **numbers}


def measured(form: str) -> dict:
    """`measure` in a process of its own."""
    environment = os.environ | ({"OMP_WAIT_POLICY": "passive"} if form == "ours" else {})
    command = [sys.executable, __file__, "--measure", form]
    return json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def paper_size_training(cpu_s: float, wall_s: float) -> str:
    """What one training of the ADNI study would take here, if a step's cost grows with its images."""
    overlay = Path(__file__).parents[2] / "experiments/liu2021_adni.yaml"
    settings = yaml.safe_load(overlay.read_text())["simulator"]
    images = 2 * settings["batch_size"] * settings["steps"]
    cpu_h, wall_h = (seconds * images / BATCH / 3600 for seconds in (cpu_s, wall_s))
    return (
        f"extrapolated, not run: one simulator of liu2021_adni, {settings['steps']} steps of "
        f"{2 * settings['batch_size']} images, {cpu_h:.0f} CPU hours, {wall_h:.0f} hours on {THREADS} threads"
    )


def main(table: Path) -> None:
    rounds = [[measured(form) for form in FORMS] for _ in range(ROUNDS)]
    forms = [min(of_form, key=lambda row: row["cpu_s"]) for of_form in zip(*rounds, strict=True)]
    plain, _, fast = forms
    loss = abs(plain["loss"] - fast["loss"]) / abs(plain["loss"])
    pairs = zip(plain["gradient"], fast["gradient"], strict=True)
    gradient = max(abs(a - b) / max(abs(a), 1e-6) for a, b in pairs)
    rows = pd.DataFrame(forms).drop(columns=["loss", "gradient"])
    rows["ratio"] = plain["cpu_s"] / rows["cpu_s"]
    print(rows.to_string(index=False, float_format="%.2f"))
    print(f"largest relative difference: loss {loss:.1e}, norm of a parameter's gradient {gradient:.1e}")
    ratio = rows["ratio"].iloc[-1]
    print(f"{ratio:.2f} times fewer CPU seconds (goal 3): {'reached' if ratio >= 3 else 'NOT REACHED'}")
    print(paper_size_training(fast["cpu_s"], fast["wall_s"]))
    table.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(table, sep="\t", index=False)


if __name__ == "__main__":
    if "--measure" in sys.argv:
        print(json.dumps(measure(sys.argv[-1])))
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("results/bench/joint_step.tsv"))
