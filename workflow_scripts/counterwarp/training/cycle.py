"""Training of the coupled simulator: shift the logit, come back, change little (Liu et al. 2021, section 3.1)."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm import tqdm

from counterwarp.arrays import Rows
from counterwarp.networks.classifier import frozen
from counterwarp.networks.device import arithmetic
from counterwarp.networks.layers import MIRRORED
from counterwarp.networks.simulator import INJECT, REMOVE, Simulator, TwoSimulators, simulate
from counterwarp.training.checkpoints import ResumeFile, fingerprint
from counterwarp.training.classifier import BATCH, logits, mirror
from counterwarp.training.pack import Images, Pack

LOG = logging.getLogger("counterwarp")
# A classifier that knows nothing has a spread of zero; one that is right nine times in ten, of about four.
SMALLEST_SPREAD = 1.0
# What each method trains, where it differs from the settings: the loss that changes the logit ("shift", or "bce" for
# cross-entropy to the other group), one conditional network or two ordinary ones, the paper's way of warping or shift.
VARIANTS = {
    "cycle": {},
    "cycle_bce": {"logit_loss": "bce"},
    "cycle_two_encoders": {"network": TwoSimulators},
    "cycle_displacement": {"output": "displacement"},
    "cycle_velocity": {"output": "velocity"},
    "cycle_fixed_delta": {"delta": 12.5},
}


def logit_shift_loss(before: Tensor, after: Tensor, task: Tensor, delta: float) -> Tensor:
    """mean of max(p(X) - p(X^), -delta) over injections, max(p(Y^) - p(Y), -delta) over removals  (eq. 1).

    Args:
        before, after: (batch,), logits of the images and of the simulated images.
        task: (batch,), INJECT or REMOVE.
        delta: shift beyond which nothing more is gained.
    """
    direction = torch.where(task == INJECT, 1.0, -1.0)
    return (direction * (before - after)).clamp(min=-delta).mean()


def other_group_loss(after: Tensor, task: Tensor) -> Tensor:
    """Cross-entropy of the simulated images' logits (batch,) to the other group, task (batch,): the paper's Fig. 4b."""
    return binary_cross_entropy_with_logits(after, (task == INJECT).to(after))


def diffusion(displacement: Tensor) -> Tensor:
    """Mean over voxels of the squared gradient of the displacement, summed over its components and axes.

    The paper sums over the voxels of a 64^3 grid: its weight 0.02 is 0.02 * 64^3 = 5243 here.

    Args:
        displacement: (batch, axes, *grid), voxels; or the velocity whose flow it is.
    """
    return _Diffusion.apply(displacement)


class _Diffusion(torch.autograd.Function):
    """`diffusion`, whose gradient is the discrete Laplacian: by autograd it costs several times as much."""

    @staticmethod
    def forward(ctx, displacement: Tensor) -> Tensor:
        ctx.save_for_backward(displacement)
        axes = range(2, displacement.dim())
        return sum(displacement.diff(dim=axis).square_().mean() for axis in axes) * displacement.shape[1]

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> Tensor:
        (displacement,) = ctx.saved_tensors
        # Twice what a squared step along the axis weighs in the mean over such steps, summed over components.
        weights = {
            axis: 2 * displacement.shape[1] / (displacement.numel() * (1 - 1 / displacement.shape[axis]))
            for axis in range(2, displacement.dim())
        }
        laplacian = displacement * (2 * sum(weights.values()))
        for axis, weight in weights.items():
            length = displacement.shape[axis]
            # Each voxel less the one before and the one after; at the border itself is in the place of what is missing.
            for to, source, n in ((1, 0, length - 1), (0, 1, length - 1), (0, 0, 1), (length - 1, length - 1, 1)):
                laplacian.narrow(axis, to, n).sub_(displacement.narrow(axis, source, n), alpha=weight)
        return laplacian.mul_(gradient)


def objective(
    simulator: nn.Module,
    classifier: nn.Module,
    images: Tensor,
    task: Tensor,
    settings: dict,
    before: Tensor | None = None,
) -> dict:
    """The terms of the joint objective for a batch that holds both tasks.

    Args:
        images: (batch, 1, *grid).
        task: (batch,), INJECT for controls' images and REMOVE for patients'.
        settings: section `simulator` of the configuration, with `delta` a number and `logit_loss` as of VARIANTS.
        before: (batch,), logits of the images, where they are known.

    Returns:
        total, logit (the loss that changes it), cycle (mean squared error of the images cycled back), smoothness (of
        both fields, or changes of intensity), shift (the mean logit shift reached, in the wanted direction): scalars.
    """
    simulated, field = simulate(simulator, images, task)
    cycled, back = simulate(simulator, simulated, 1 - task)
    if before is None:
        with torch.no_grad():
            before = classifier(images)
    after = classifier(simulated)
    shifting = settings["logit_loss"] == "shift"
    terms = {
        "logit": logit_shift_loss(before, after, task, settings["delta"])
        if shifting
        else other_group_loss(after, task),
        "cycle": (cycled - images).square().mean(),
        "smoothness": (diffusion(field) + diffusion(back)) / 2,
    }
    total = (
        settings["logit_weight"] * terms["logit"]
        + settings["cycle_weight"] * terms["cycle"]
        + settings["smoothness_weight"] * terms["smoothness"]
    )
    shift = (torch.where(task == INJECT, 1.0, -1.0) * (after - before)).mean()
    return {"total": total, **terms, "shift": shift.detach()}


@dataclass
class Group:
    """The training scans of one group, and the logits of all of them, which a frozen classifier need give only once.

    Args:
        images: n of them.
        logits: (n, 2), of the images as they are, and mirrored.
    """

    images: Images
    logits: Tensor

    def take(self, rows: Tensor, mirrored: Tensor) -> tuple[Tensor, Tensor]:
        """Images (chosen, 1, *grid) of these rows, those mirrored that are to be, and their logits (chosen,)."""
        images, known = self.images[rows], self.logits[rows.to(self.logits.device)]
        if mirrored.any():
            images = mirror(images, mirrored)
        return images, torch.where(mirrored.to(known.device), known[:, 1], known[:, 0])


def know(images: Images, classifier: nn.Module, flip: bool) -> Group:
    """The group of these images; without `flip`, or where the classifier does not tell a mirror image, the logits of
    the images as they are stand for both."""
    as_they_are = mirrored = logits(classifier, images)
    # To a classifier of someone else's an image and its mirror image may be two.
    if flip and not getattr(classifier, "mirror", False):
        mirrored = torch.cat([logits(classifier, batch.flip(MIRRORED)) for batch in images.split(BATCH)])
    return Group(images, torch.stack([as_they_are, mirrored], 1))


def train_simulator(
    pack: Pack,
    classifier: nn.Module,
    settings: dict,
    device: torch.device,
    resume: str,
    origin: dict | None = None,
    method: str = "cycle",
) -> tuple[nn.Module, pd.DataFrame]:
    """Train one simulator for both tasks by one objective (Adam, learning rate falling to zero along a cosine).

    The logit loss is met long before the map is right, so it ends nothing: the number of steps is fixed, the last
    weights are taken, and the history says what they reach on validation subjects.

    Args:
        pack: trained on split "train", watched on "validation".
        classifier: trained; it is frozen here and stays in evaluation mode.
        settings: section `simulator` of the configuration, with `precision`.
        device: where to train; torch's generator must have been seeded.
        resume: path of the resume file; the caller removes it when the results are safe.
        origin: whatever else the result depends on, such as the seed.
        method: a key of VARIANTS.

    Returns:
        The network in evaluation mode, on `device`.
        One row every `report_every` steps: step, then the terms of `objective` in training (train_*, means since the
        last row) and on validation subjects in evaluation mode (validation_*).

    Raises:
        CounterwarpError: a split lacks a group.
    """
    weights = [tensor.cpu().numpy() for tensor in classifier.state_dict().values()]
    classifier = frozen(classifier.to(device))
    settings = {"logit_loss": "shift", "network": Simulator, **settings, **VARIANTS[method]}
    controls, patients = (
        know(pack.stream(pack.rows("train", group), device), classifier, settings["flip"])
        for group in ("control", "patient")
    )
    settings["delta"] = _delta(settings["delta"], controls, patients)
    sizes = {name: settings[name] for name in ("channels", "fully_connected", "experts", "output_level", "output")}
    symmetric = settings["flip"] and getattr(classifier, "mirror", False)
    network = settings.pop("network")(grid=pack.grid, **sizes, mirror=symmetric).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings["learning_rate"], fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings["steps"])
    digest = fingerprint(
        {"method": method, "settings": settings, "index": pack.index.to_csv(), **(origin or {})},
        Rows(pack.images, pack.rows("train")),
        *weights,
    )
    file = ResumeFile(resume, digest, {"network": network, "optimiser": optimiser, "schedule": schedule})
    progress = file.restore() or {"step": 0, "history": [], "recent": []}
    for step in tqdm(range(progress["step"], settings["steps"]), desc="simulator", disable=None):
        images, task, before = _draw(controls, patients, settings)
        network.train()
        with arithmetic(device, settings["precision"]):
            terms = objective(network, classifier, images, task, settings, before)
        optimiser.zero_grad()
        terms["total"].backward()
        nn.utils.clip_grad_norm_(network.parameters(), settings["gradient_norm"])
        optimiser.step()
        schedule.step()
        progress["step"] = step + 1
        progress["recent"].append({name: term.item() for name, term in terms.items()})
        if progress["step"] % settings["report_every"] == 0 or progress["step"] == settings["steps"]:
            if progress["step"] == settings["steps"]:
                recalibrate(network, controls, patients, settings)
            _report(progress, network, classifier, pack, settings, device)
            file.save(progress)
    return network.eval(), pd.DataFrame(progress["history"])


def _delta(delta: float | str, controls: Group, patients: Group) -> float:
    """The logit shift to ask for; "auto" takes the difference between the two groups' mean logits."""
    if delta != "auto":
        return float(delta)
    spread = (patients.logits[:, 0].mean() - controls.logits[:, 0].mean()).item()
    LOG.info("delta is %.2f, the difference between the groups' mean logits in training", spread)
    if spread < SMALLEST_SPREAD:
        LOG.warning("the classifier hardly tells the groups apart: what explains it will mean little")
    return spread


def _draw(controls: Group, patients: Group, settings: dict) -> tuple[Tensor, Tensor, Tensor]:
    """A random batch with as many controls (to inject) as patients (to remove), its tasks, and its logits."""
    size = settings["batch_size"]
    rows = [torch.randint(len(group.images), (size,)) for group in (controls, patients)]
    mirrored = torch.rand(2 * size) < (0.5 if settings["flip"] else 0)
    taken = [group.take(*which) for group, *which in zip((controls, patients), rows, mirrored.split(size), strict=True)]
    images, before = (torch.cat(parts) for parts in zip(*taken, strict=True))
    task = torch.tensor([INJECT] * size + [REMOVE] * size, device=images.device)
    return images, task, before


@torch.no_grad()
def recalibrate(network: nn.Module, controls: Group, patients: Group, settings: dict) -> None:
    """Replace the running statistics of batch norm by averages over the training scans and their simulations.

    With a few images a batch, the exponential averages of training are too noisy: in evaluation mode the network would
    shift the logits far less than in training.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    network.train()
    for _ in range(settings["recalibration_batches"]):
        images, task, _ = _draw(controls, patients, settings)
        network(simulate(network, images, task)[0], 1 - task)
    for norm, value in zip(norms, momentum, strict=True):
        norm.momentum = value


def _report(progress: dict, network: nn.Module, classifier, pack: Pack, settings: dict, device) -> None:
    """Add a row to the history: means of the training terms since the last one; the terms on validation subjects."""
    recent = pd.DataFrame(progress["recent"]).mean()
    held_out = _validate(network, classifier, pack, settings, device)
    numbers = {f"train_{name}": float(value) for name, value in recent.items()}
    numbers |= {f"validation_{name}": value for name, value in held_out.items()}
    progress["history"].append({"step": progress["step"], **numbers})
    progress["recent"] = []
    LOG.info("step %d: %s", progress["step"], ", ".join(f"{name} {value:.4g}" for name, value in numbers.items()))


@torch.no_grad()
def _validate(network: nn.Module, classifier, pack: Pack, settings: dict, device) -> dict[str, float]:
    network.eval()
    rows = np.concatenate([pack.rows("validation", group) for group in ("control", "patient")])
    images, task = pack.stream(rows, device), pack.patients[rows].to(device)
    batches = zip(images.split(8), task.split(8), strict=True)
    results = [(len(t), objective(network, classifier, i, t, settings)) for i, t in batches]
    return {name: sum(n * terms[name].item() for n, terms in results) / len(rows) for name in results[0][1]}
