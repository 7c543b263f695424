"""Time one critic step and one generator step, the straightforward form and ours, and compare their numbers.

The straightforward form keeps the generator's graph through the critic's step and goes back through it, computes the
critic's own gradients in the generator's step, has ReLU before pooling, and its tensors are contiguous. Ours also has
the C library keep freed memory at the smaller size, and give it back at the paper's; what keeping it alone gives is
shown too.

Usage: python tests/bench/adversarial_step.py [--full] [results/bench/adversarial_step.tsv]

64 x 80 x 56 voxels, or with --full the paper's 128 x 160 x 112; batch 1, the paper's generator and critic, one thread.
Each form of each step runs in a process of its own, so that its peak memory is its own.
"""

import json
import math
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow_scripts"))

from counterwarp.networks.critic import Critic
from counterwarp.networks.device import manage_freed_memory
from counterwarp.networks.generator import Generator, remove
from counterwarp.networks.layers import Convolution3d
from counterwarp.training.adversarial import ADAM_BETAS, critic_step, generator_step, total_variation

FORMS = ("straightforward", "straightforward, keeping freed memory", "ours")
STEPS = ("critic_step", "generator_step")
GOALS = {"critic_step": 2.5, "generator_step": 1.0}
FULL_MEMORY = 0.5  # of the straightforward form's, at full size
SMALL, FULL, THREADS, REPEATS = (64, 80, 56), (128, 160, 112), 1, 3
CRITIC = [[16], [32], [64, 64], [128, 128], [256, 256, 256]]
SETTINGS = {
    "method": "defigan",
    "critic": "wgan_gp",
    "penalty_weight": 10.0,
    "regulariser_weight": 10.0,
    "precision": "float32",
}


def straightforward_critic_step(generator, critic, optimiser, healthy, sick) -> dict:
    """As one would first write it: nothing is detached, one loss."""
    removed, _ = remove(generator, sick)
    alpha = torch.rand(len(healthy)).reshape(-1, 1, 1, 1, 1)
    between = torch.lerp(healthy, removed, alpha).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
    scores, removed_scores = critic(healthy), critic(removed)
    loss = scores.mean() - removed_scores.mean() + SETTINGS["penalty_weight"] * penalty
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return {"distance": (removed_scores.mean() - scores.mean()).item(), "penalty": penalty.item()}


def straightforward_generator_step(generator, critic, optimiser, sick) -> dict:
    removed, field = remove(generator, sick)
    score, regulariser = critic(removed).mean(), total_variation(field)
    optimiser.zero_grad()
    (score + SETTINGS["regulariser_weight"] * regulariser).backward()
    optimiser.step()
    return {"score": score.item(), "regulariser": regulariser.item()}


def relu_first(layers: nn.Sequential) -> list[nn.Module]:
    """The layers, each ReLU before the pooling that it follows."""
    order = list(layers)
    for place in reversed(range(len(order))):
        if isinstance(order[place], nn.MaxPool3d):
            order[place : place + 2] = reversed(order[place : place + 2])
    return order


def measure(step: str, form: str, grid: tuple[int, ...]) -> dict:
    """CPU and wall seconds of the fastest of REPEATS steps, peak memory, and the numbers of the first."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    generator, critic = Generator(grid, (16, 32, 64, 128), fill=0.0), Critic(grid, CRITIC)
    healthy, sick = torch.rand(2, 1, 1, *grid)
    trained = critic if step == "critic_step" else generator
    optimiser = torch.optim.Adam(trained.parameters(), 1e-4, ADAM_BETAS, fused=form == "ours")
    if form != "straightforward":
        manage_freed_memory(math.prod(grid) if form == "ours" else 0)
    if form != "ours":
        critic.layers = nn.Sequential(*relu_first(critic.layers))
        for network in (generator, critic):
            network.to(memory_format=torch.contiguous_format)
            for layer in network.modules():
                if isinstance(layer, Convolution3d):
                    layer.forward = partial(nn.Conv3d.forward, layer)
    images = (healthy, sick) if step == "critic_step" else (sick,)
    compute = {
        ("critic_step", True): lambda *parts: critic_step(*parts, SETTINGS),
        ("critic_step", False): straightforward_critic_step,
        ("generator_step", True): lambda *parts: generator_step(*parts, SETTINGS),
        ("generator_step", False): straightforward_generator_step,
    }[step, form == "ours"]
    times = []
    for repeat in range(REPEATS + 1):
        cpu, wall = time.process_time(), time.perf_counter()
        numbers = compute(generator, critic, optimiser, *images)
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
        if repeat == 0:
            length = torch.stack([p.grad.norm() for p in trained.parameters()]).norm().item()
            first = {"numbers": [*numbers.values(), length]}
    cpu, wall = min(times[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    name = f"{step} {'x'.join(map(str, grid))}"
    return {"name": name, "variant": form, "cpu_s": cpu, "wall_s": wall, "peak_mb": peak, **first}


def main(table: Path, size: list[str]) -> None:
    rows = []
    for step in STEPS:
        forms = []
        for form in FORMS:
            command = [sys.executable, __file__, *size, "--measure", step, form]
            forms.append(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))
        plain, ours = forms[0], forms[-1]
        pairs = zip(plain["numbers"], ours["numbers"], strict=True)
        difference = max(abs(a - b) / max(abs(a), 1e-6) for a, b in pairs)
        of_step = pd.DataFrame(forms).drop(columns="numbers")
        of_step["ratio"] = plain["cpu_s"] / of_step["cpu_s"]
        ratio, memory = of_step["ratio"].iloc[-1], ours["peak_mb"] / plain["peak_mb"]
        reached = "reached" if ratio >= GOALS[step] else "NOT REACHED"
        print(of_step.to_string(index=False, float_format="%.2f"))
        print(f"{ratio:.2f} times fewer CPU seconds (goal {GOALS[step]}): {reached}")
        asked = "reached" if memory < FULL_MEMORY else "NOT REACHED"
        print(f"{memory:.2f} of the memory" + (f" (goal under {FULL_MEMORY}): {asked}" if size else ""))
        print(f"largest relative difference of a number or of the gradient's length: {difference:.1e}", flush=True)
        rows.append(of_step)
    table.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(rows).to_csv(table, sep="\t", index=False)


if __name__ == "__main__":
    full = ["--full"] if "--full" in sys.argv else []
    if "--measure" in sys.argv:
        print(json.dumps(measure(*sys.argv[-2:], FULL if full else SMALL)))
    else:
        tables = [name for name in sys.argv[1:] if not name.startswith("--")]
        main(Path(tables[0] if tables else "results/bench/adversarial_step.tsv"), full)
