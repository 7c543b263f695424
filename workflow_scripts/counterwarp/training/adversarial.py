"""Adversarial training of DeFI-GAN and VA-GAN: patients' images without disease that a critic cannot tell from the
healthier class's (Bigolin Lanfredi et al. 2020, section 2)."""

import logging
import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim.swa_utils import update_bn
from tqdm import tqdm

from counterwarp.errors import CounterwarpError
from counterwarp.networks.critic import build_critic
from counterwarp.networks.device import arithmetic
from counterwarp.networks.generator import Generator, remove
from counterwarp.training.checkpoints import ResumeFile, fingerprint
from counterwarp.training.classifier import augment
from counterwarp.training.pack import Images, Pack

LOG = logging.getLogger("counterwarp")
BATCH = 8  # images at a time where nothing is learned
ADAM_BETAS = 0.0, 0.9
# Batches that set the statistics of batch norm before each validation. The running ones are of a few images each and of
# weights from updates ago: in evaluation mode a displacement would be anything from nothing to hundreds of voxels.
RECALIBRATION_BATCHES = 10
# A penalty above this is that of a slope a hundred times too steep: the critic has left all bounds.
LARGEST_PENALTY = 1e4
# Without pairs, the generator is chosen among those after this share of the updates: before, the critic finds no
# distance because it has learned nothing.
CHOSEN_FROM = 0.5
NOTHING_CHOSEN = {"best": None, "merit": -math.inf, "chosen": 0}


def total_variation(displacement: Tensor) -> Tensor:
    """1/P sum_p sum_n ||phi(p) - phi(n)||_2 over the neighbours n of p along each axis  (eq. 5), mean over the batch.

    Neighbours beyond the border do not count, so a constant displacement costs nothing.

    Args:
        displacement: (batch, axes, *grid), voxels.
    """
    lengths = [displacement.diff(dim=axis).norm(dim=1).sum() for axis in range(2, displacement.dim())]
    # Each pair of neighbours is met from both sides.
    return 2 * sum(lengths) / displacement[:, 0].numel()


def mean_size(change: Tensor) -> Tensor:
    """1/P sum_p |M(p)|, the L1 norm of the change of intensity (batch, 1, *grid), mean over voxels and the batch."""
    return change.abs().mean()


# What each method trains: the output of its generator and the penalty on it.
VARIANTS = {
    "defigan": {"output": "displacement", "regulariser": total_variation},
    "vagan": {"output": "image", "regulariser": mean_size},
}


def two_point_penalty(critic: nn.Module, healthy: Tensor, removed: Tensor) -> Tensor:
    """E (||grad D(x~)||_2 - 1)^2 with x~ = (1 - alpha) x0 + alpha x0^, one alpha ~ U(0, 1) per pair  (eq. 3)."""
    alpha = torch.rand(len(healthy), device=healthy.device).reshape(-1, *[1] * (healthy.dim() - 1))
    return (_slopes(critic, torch.lerp(healthy, removed, alpha)) - 1).square().mean()


def zero_centred_penalty(critic: nn.Module, healthy: Tensor, removed: Tensor) -> Tensor:
    """E ||grad D(x0)||^2 / 2 on images of the healthier class alone (R1, Mescheder et al. 2018)."""
    return _slopes(critic, healthy).square().mean() / 2


def _slopes(critic: nn.Module, images: Tensor) -> Tensor:
    """||grad D||_2 of each image, over all of its voxels: (batch,)."""
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(images).float().sum(), images, create_graph=True)
    return gradient.flatten(1).norm(dim=1)


def wasserstein_losses(healthy: Tensor, removed: Tensor) -> tuple[Tensor, Tensor]:
    """L_D = E D(x0) - E D(x0^)  (eq. 2) and L_G = E D(x0^)  (eq. 4), of the scores (batch,) of both."""
    return healthy.mean() - removed.mean(), removed.mean()


def logistic_losses(healthy: Tensor, removed: Tensor) -> tuple[Tensor, Tensor]:
    """E log(1 + exp D(x0)) + E log(1 + exp -D(x0^)) and E log(1 + exp D(x0^)), of the scores (batch,) of both.

    A zero-centred penalty bounds the critic at x0 alone, so a loss without bound would run away.
    """
    return softplus(healthy).mean() + softplus(-removed).mean(), softplus(removed).mean()


# What each critic is trained by: its losses and the penalty on its gradient.
CRITICS = {
    "wgan_gp": (wasserstein_losses, two_point_penalty),
    "r1": (logistic_losses, zero_centred_penalty),
}


@dataclass(frozen=True)
class Pairs:
    """What is known of the change between two scans of a subject, to choose the generator by.

    Attributes:
        rows: (n,), of the pack: the later scan of each pair.
        change: (n, *grid), the earlier scan, registered to the later one, minus the later one.
        mask: (n, *grid), bool, voxels that count.
        subject: (n,), whose pair it is.
    """

    rows: np.ndarray
    change: np.ndarray
    mask: np.ndarray
    subject: np.ndarray


def true_pairs(pack: Pack, truth: str) -> Pairs:
    """The validation patients of a benchmark, as if each had been seen before the disease.

    Args:
        pack: of the benchmark.
        truth: .npy, (n, *grid), the true change of intensity by the disease in each image of the pack.
    """
    rows = pack.rows("validation", "patient")
    change = -np.load(truth, mmap_mode="r")[rows]
    return Pairs(rows, change, np.ones(change.shape, bool), pack.index["subject"].to_numpy()[rows])


def observed_pairs(pack: Pack, path: str) -> Pairs | None:
    """The pairs of the pack's validation subjects (npz of `counterwarp.imaging.longitudinal.pack_changes`); None where
    none is left, because a scan of each failed."""
    with np.load(path) as arrays:
        held_out = pack.index["split"].to_numpy()[arrays["row"]] == "validation"
        if not held_out.any():
            LOG.warning("no pair of validation subjects is left: the critic's distance chooses the generator")
            return None
        return Pairs(*(arrays[name][held_out] for name in ("row", "change", "mask", "subject")))


class DivergedError(CounterwarpError):
    """A training that cannot go on; `network` is the best generator before (None for none), `history` its report."""

    def __init__(self, message: str, network: Generator | None, history: pd.DataFrame):
        super().__init__(message)
        self.network, self.history = network, history


def critic_step(generator: nn.Module, critic: nn.Module, optimiser, healthy: Tensor, sick: Tensor, settings: dict):
    """One update of the critic.

    Args:
        healthy, sick: (batch, 1, *grid), x0 and x1.
        settings: `critic` (a key of CRITICS), `penalty_weight` and `precision`.

    Returns:
        distance (E D(x0^) - E D(x0)) and penalty: numbers.
    """
    losses, penalty_of = CRITICS[settings["critic"]]
    lowered = partial(arithmetic, healthy.device, settings["precision"])
    with torch.no_grad(), lowered():
        removed, _ = remove(generator, sick)
    optimiser.zero_grad()
    # Apart from the losses, so that the graph of its second derivatives is gone before theirs is built.
    with lowered():
        penalty = penalty_of(critic, healthy, removed)
    (settings["penalty_weight"] * penalty).backward()
    # As one batch: torch has a slow convolution for a single small image.
    with lowered():
        scores, removed_scores = critic(torch.cat([healthy, removed])).float().chunk(2)
    losses(scores, removed_scores)[0].backward()
    optimiser.step()
    return {"distance": (removed_scores.mean() - scores.mean()).item(), "penalty": penalty.item()}


def generator_step(generator: nn.Module, critic: nn.Module, optimiser, sick: Tensor, settings: dict) -> dict:
    """One update of the generator.

    Args:
        sick: (batch, 1, *grid), x1.
        settings: `critic` (a key of CRITICS), `regulariser_weight` and `precision`.

    Returns:
        score (E D(x0^)) and regulariser: numbers.
    """
    critic.requires_grad_(False)
    with arithmetic(sick.device, settings["precision"]):
        removed, field = remove(generator, sick)
        scores = critic(removed).float()
    regulariser = VARIANTS[settings["method"]]["regulariser"](field)
    loss = CRITICS[settings["critic"]][0](scores, scores)[1] + settings["regulariser_weight"] * regulariser
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    critic.requires_grad_(True)
    return {"score": scores.mean().item(), "regulariser": regulariser.item()}


def train_generator(
    pack: Pack,
    settings: dict,
    device: torch.device,
    resume: str,
    origin: dict | None = None,
    method: str = "defigan",
    pairs: Pairs | None = None,
) -> tuple[Generator, pd.DataFrame]:
    """Train a generator that takes the disease out of patients' images, and the critic that it is to convince.

    Args:
        pack: trained on split "train"; split "validation" chooses the generator.
        settings: section `adversarial` of the configuration, with `precision`: channels, output_scale, fill (of
            `Generator`), critic_network, critic_channels, critic_weights (of `build_critic`), critic (a key of
            CRITICS), penalty_weight, regulariser_weight, learning_rate, batch_size (of each group), flip, report_every
            (generator updates), stages (list of generator_updates and, for each of these, critic_updates).
        device: where to train; torch's generator must have been seeded.
        resume: path of the resume file; the caller removes it when the results are safe.
        origin: whatever else the result depends on, such as the seed.
        method: a key of VARIANTS.
        pairs: of validation subjects. The generator with the highest NCC to their change is chosen; without pairs, the
            one whose images the critic finds nearest to the healthier class's, in the later part of the training.

    Returns:
        The chosen generator in evaluation mode, on `device`.
        One row every `report_every` generator updates: update, critic_updates (both counted from the start), distance,
        penalty, score, regulariser (means since the last row), validation_distance, validation_regulariser,
        validation_ncc (nan without pairs), chosen.

    Raises:
        CounterwarpError: a split lacks a group.
        DivergedError: a loss is not finite, or the critic's slope has left all bounds.
    """
    settings = {**settings, "method": method}
    healthy, sick = (pack.rows("train", group) for group in ("control", "patient"))
    held_out = [pack.stream(pack.rows("validation", group), device) for group in ("control", "patient")]
    sizes = {name: settings[name] for name in ("channels", "output_scale", "fill")}
    generator = Generator(pack.grid, output=VARIANTS[method]["output"], **sizes).to(device)
    critic = build_critic(pack.grid, settings).to(device)
    optimisers = [
        torch.optim.Adam(network.parameters(), lr=settings["learning_rate"], betas=ADAM_BETAS, fused=True)
        for network in (generator, critic)
    ]
    parts = {"generator": generator, "critic": critic, "of_generator": optimisers[0], "of_critic": optimisers[1]}
    known = {"settings": settings, "index": pack.index.to_csv(), "subject": list(pairs.subject) if pairs else []}
    data = [
        pack.images if pack.frames is None else pack.frames,
        *((pairs.rows, pairs.change, pairs.mask) if pairs else ()),
    ]
    digest = fingerprint(known | (origin or {}), *data)
    file = ResumeFile(resume, digest, parts)
    progress = file.restore() or {"update": 0, "critic_updates": 0, "recent": [], "history": []} | NOTHING_CHOSEN
    schedule = [stage["critic_updates"] for stage in settings["stages"] for _ in range(stage["generator_updates"])]
    first = 0 if pairs else int(CHOSEN_FROM * len(schedule))
    for update in tqdm(range(progress["update"], len(schedule)), desc=method, disable=None):
        generator.train()
        for _ in range(schedule[update]):
            batch = [_draw(pack, rows, settings).to(device) for rows in (healthy, sick)]
            numbers = critic_step(generator, critic, optimisers[1], *batch, settings)
            progress["critic_updates"] += 1
            _check(numbers, progress, generator)
        numbers |= generator_step(generator, critic, optimisers[0], _draw(pack, sick, settings).to(device), settings)
        _check(numbers, progress, generator)
        progress["update"] = update + 1
        progress["recent"].append(numbers)
        if progress["update"] % settings["report_every"] == 0 or progress["update"] == len(schedule):
            update_bn((_draw(pack, sick, settings).to(device) for _ in range(RECALIBRATION_BATCHES)), generator)
            _report(progress, validate(generator, critic, *held_out, method), longitudinal_ncc(generator, pack, pairs))
            _keep_best(progress, generator, "ncc" if pairs else "distance", update >= first)
            file.save(progress)
    generator.load_state_dict(progress["best"])
    return generator.eval(), _history(progress)


def _draw(pack: Pack, rows: np.ndarray, settings: dict) -> Tensor:
    """A random batch of these rows, read when it is needed: at the paper's size all would be 34 GB."""
    chosen = rows[torch.randint(len(rows), (settings["batch_size"],)).numpy()]
    return augment(pack.crops(chosen), settings["flip"], 0)


def _check(numbers: dict, progress: dict, generator: Generator) -> None:
    """Stop a training whose numbers are not finite or whose critic has left all bounds."""
    wrong = [f"{name} is {value}" for name, value in numbers.items() if not math.isfinite(value)]
    if numbers["penalty"] > LARGEST_PENALTY:
        wrong.append(f"the penalty on the critic's gradient is {numbers['penalty']:.3g}, above {LARGEST_PENALTY:.0e}")
    if not wrong:
        return
    if progress["best"]:
        generator.load_state_dict(progress["best"])
    kept = f"that of update {progress['chosen']} is kept" if progress["best"] else "none was kept before"
    raise DivergedError(
        f"the training diverged in generator update {progress['update'] + 1} (critic update "
        f"{progress['critic_updates']}): {'; '.join(wrong)}. Lower adversarial.learning_rate or raise "
        f"adversarial.penalty_weight; of the generators so far, {kept}",
        generator.eval() if progress["best"] else None,
        _history(progress),
    )


@torch.no_grad()
def validate(generator: Generator, critic: nn.Module, healthy: Images, sick: Images, method: str) -> dict[str, float]:
    """What the critic and the regulariser say of held-out images (n, 1, *grid), the networks in evaluation mode.

    Returns:
        distance (E D(x0^) - E D(x0)) and regulariser.
    """
    generator.eval()
    score = torch.cat([critic(batch) for batch in healthy.split(BATCH)]).mean().item()
    removed_scores, regulariser = [], 0.0
    for batch in sick.split(BATCH):
        removed, field = remove(generator, batch)
        removed_scores.append(critic(removed))
        regulariser += VARIANTS[method]["regulariser"](field).item() * len(batch) / len(sick)
    return {"distance": torch.cat(removed_scores).mean().item() - score, "regulariser": regulariser}


@torch.no_grad()
def longitudinal_ncc(generator: Generator, pack: Pack, pairs: Pairs | None) -> float:
    """Pearson correlation of x0^ - x1 with each pair's change inside its mask (eq. 7), mean over the pairs of each
    subject, then over subjects; nan without pairs."""
    if pairs is None:
        return math.nan
    generator.eval()
    device, values = next(generator.parameters()).device, []
    for row, change, mask in zip(pairs.rows, pairs.change, pairs.mask, strict=True):
        image = pack.tensor([row]).to(device)
        predicted = (remove(generator, image)[0] - image)[0, 0].cpu()
        inside = torch.from_numpy(np.array(mask))
        both = torch.stack([predicted[inside], torch.from_numpy(np.array(change, np.float32))[inside]])
        values.append(torch.corrcoef(both.double())[0, 1].item())
    return float(pd.Series(values).groupby(np.asarray(pairs.subject)).mean().mean())


def _report(progress: dict, held_out: dict[str, float], ncc: float) -> None:
    """Add a row to the history: means of training since the last one, and what held-out subjects say."""
    row = {"update": progress["update"], "critic_updates": progress["critic_updates"]}
    row |= {name: float(value) for name, value in pd.DataFrame(progress["recent"]).mean().items()}
    row |= {f"validation_{name}": value for name, value in held_out.items()} | {"validation_ncc": ncc}
    progress["history"].append(row)
    progress["recent"] = []
    LOG.info(", ".join(f"{name} {value:.4g}" for name, value in row.items()))


def _keep_best(progress: dict, generator: Generator, measure: str, may_be_chosen: bool) -> None:
    """Keep the generator's weights where the last report is the best; one that may not be chosen, for want of others.

    Args:
        measure: "ncc", the higher the better, or "distance", the nearer to 0 the better.
    """
    value = progress["history"][-1][f"validation_{measure}"]
    merit = value if measure == "ncc" else -abs(value)
    merit = merit if may_be_chosen and math.isfinite(merit) else -math.inf
    if merit >= progress["merit"]:
        progress["best"] = {name: tensor.detach().clone() for name, tensor in generator.state_dict().items()}
        progress |= {"merit": merit, "chosen": progress["update"]}


def _history(progress: dict) -> pd.DataFrame:
    table = pd.DataFrame(progress["history"], columns=None if progress["history"] else ["update"])
    return table.assign(chosen=table["update"] == progress["chosen"])
