"""Training of the classifier; the epoch is chosen on validation subjects."""

import logging
import math
from statistics import fmean

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, update_bn
from tqdm import tqdm

from counterwarp.arrays import Rows
from counterwarp.networks.classifier import Classifier
from counterwarp.networks.device import arithmetic
from counterwarp.networks.layers import MIRRORED
from counterwarp.training.checkpoints import ResumeFile, fingerprint
from counterwarp.training.pack import Images, Pack

LOG = logging.getLogger("counterwarp")
BATCH = 16  # images at a time where nothing is learned
# A prediction nearer to its target than this counts as this far away: of its gradient nothing is left.
LEAST_ERROR = 1e-4
HISTORY = ("epoch", "train_loss", "validation_loss", "validation_balanced_accuracy", "chosen")


def train_classifier(
    pack: Pack, settings: dict, device: torch.device, resume: str, origin: dict | None = None
) -> tuple[Classifier, pd.DataFrame]:
    """Binary cross-entropy on the logits, Adam (Liu et al. 2021, section 3.2).

    From the epoch `average_from` on, what is validated and returned is the mean of the weights after each epoch since
    then (stochastic weight averaging, Izmailov et al. 2018), with the statistics of batch norm taken anew: it sees more
    of what tells the groups apart than the weights of any one epoch.

    Args:
        pack: trained on split "train"; split "validation" chooses the epoch, by its loss, which still moves where the
            accuracy of a few subjects cannot.
        settings: section `classifier` of the configuration, with `precision`.
        device: where to train; torch's generator must have been seeded.
        resume: path of the resume file; the caller removes it when the results are safe.
        origin: whatever else the result depends on, such as the seed.

    Returns:
        The network of the chosen epoch in evaluation mode, on `device`.
        One row every `report_every` epochs, with the columns HISTORY; the loss is the mean since the last row.

    Raises:
        CounterwarpError: a split lacks a group.
    """
    rows = torch.as_tensor(_of_both_groups(pack, "train"))
    held_out = _of_both_groups(pack, "validation")
    images, patients = pack.stream(rows, device), pack.patients[rows].to(device)
    validation = pack.stream(held_out, device), pack.patients[held_out].to(device)
    sizes = {name: settings[name] for name in ("channels", "hidden", "dropout", "batch_norm")}
    network = Classifier(pack.grid, **sizes, mirror=settings["flip"]).to(device)
    averaged = AveragedModel(network)
    first_averaged = int(settings["average_from"] * settings["epochs"])
    first_candidate = first_averaged if first_averaged < settings["epochs"] else 0
    optimiser = torch.optim.Adam(
        network.parameters(), lr=settings["learning_rate"], weight_decay=settings["weight_decay"], fused=True
    )
    digest = fingerprint(
        {"settings": settings, "index": pack.index.to_csv(), **(origin or {})},
        *(Rows(pack.images, of_split) for of_split in (rows, held_out)),
    )
    file = ResumeFile(resume, digest, {"network": network, "averaged": averaged, "optimiser": optimiser})
    progress = file.restore() or {"epoch": 0, "losses": [], "history": [], "best": None}
    history = progress["history"]
    for epoch in tqdm(range(progress["epoch"], settings["epochs"]), desc="classifier", disable=None):
        progress["losses"].append(_epoch(network, optimiser, images, patients, _of_epoch(epoch, settings)))
        progress["epoch"] = epoch + 1
        if epoch >= first_averaged:
            averaged.update_parameters(network)
        if progress["epoch"] % settings["report_every"] and progress["epoch"] < settings["epochs"]:
            continue
        candidate = network
        if epoch >= first_averaged:
            candidate = averaged.module
            update_bn(images.split(math.ceil(len(images) / (len(images) // BATCH + 1))), candidate)
        row = {"epoch": epoch + 1, "train_loss": fmean(progress["losses"]), **_validate(candidate, *validation)}
        rivals = [past["validation_loss"] for past in history if past["epoch"] > first_candidate]
        if row["validation_loss"] < min(rivals, default=math.inf):
            progress["best"] = {name: tensor.detach().clone() for name, tensor in candidate.state_dict().items()}
        history.append(row)
        progress["losses"] = []
        file.save(progress)
        LOG.info("epoch %(epoch)d: loss %(train_loss).3f, validation %(validation_loss).3f", row)
    network.load_state_dict(progress["best"])
    table = pd.DataFrame(history)
    table["chosen"] = table.index == table["validation_loss"][table["epoch"] > first_candidate].idxmin()
    return network.eval(), table


def _of_both_groups(pack: Pack, split: str):
    for group in ("control", "patient"):
        pack.rows(split, group)
    return pack.rows(split)


def _of_epoch(epoch: int, settings: dict) -> dict:
    """The settings with mixup and perturbation as they are in an epoch: neither at first, since a network that is
    misled from the start learns nothing; then the perturbation grows, and is whole once weights are averaged."""
    start, whole = (settings[name] * settings["epochs"] for name in ("plain_until", "average_from"))
    if epoch < start:
        return settings | {"mixup": 0.0, "perturbation": 0.0}
    grown = (epoch - start) / (whole - start) if epoch < whole else 1.0
    return settings | {"perturbation": grown * settings["perturbation"]}


def _epoch(network: Classifier, optimiser, images: Images, patients: Tensor, settings: dict) -> float:
    """One pass over the training scans (`balanced_order`), two steps a batch where they are perturbed; returns the mean
    loss of the scans as they are."""
    network.train()
    batches = balanced_order(patients.bool().cpu()).split(settings["batch_size"])
    if len(batches) > 1 and len(batches[-1]) == 1:
        # Batch norm cannot learn from a single image once little is left of its grid.
        batches = batches[:-1]
    total = 0.0
    for batch in batches:
        moved = augment(images[batch], settings["flip"], settings["shift_voxels"], settings["intensity"])
        target = patients[batch] * (1 - 2 * settings["label_smoothing"]) + settings["label_smoothing"]
        moved, target = mix(moved, target, settings["mixup"])
        moved.requires_grad_(settings["perturbation"] > 0)
        loss, predicted = _step(network, optimiser, moved, target, settings["precision"])
        total += loss / len(batches)
        if settings["perturbation"]:
            towards = torch.where(target > 0.5, -1.0, 1.0)
            gradients = of_logit(moved.grad, predicted, target)
            size, share = settings["perturbation"], settings["perturbation_share"]
            against = perturb(moved.detach(), gradients, towards, -towards * predicted, size, share)
            _step(network, optimiser, against, target, settings["precision"])
    return total


def _step(network: Classifier, optimiser, images: Tensor, targets: Tensor, precision: str) -> tuple[float, Tensor]:
    """One step down the cross-entropy; returns it, and the logits (batch,)."""
    with arithmetic(images.device, precision):
        predicted = network(images)
    loss = binary_cross_entropy_with_logits(predicted.float(), targets)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item(), predicted.detach().float()


def balanced_order(is_patient: Tensor) -> Tensor:
    """Rows of one epoch in random order: everybody once, and of the smaller group again as many, drawn evenly, as make
    both equally frequent.

    A classifier of few patients among many controls would else learn to call everybody a control.

    Args:
        is_patient: (n,) bool, of both groups.
    """
    groups = [torch.nonzero(is_patient == group)[:, 0] for group in (False, True)]
    larger = max(map(len, groups))
    rows = list(groups)
    for group in groups:
        lacking = larger - len(group)
        rounds = [group[torch.randperm(len(group))] for _ in range(-(-lacking // len(group)))]
        rows += [torch.cat(rounds)[:lacking]] if rounds else []
    together = torch.cat(rows).sort().values
    return together[torch.randperm(len(together))]


def of_logit(gradients: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
    """Gradients of each image's logit, from those of the mean cross-entropy over the batch (batch, channels, *grid)."""
    off = logits.sigmoid() - targets
    off = torch.where(off < 0, -1, 1) * off.abs().clamp(min=LEAST_ERROR)
    return len(logits) * gradients / off.reshape(-1, *[1] * (gradients.dim() - 1))


def perturb(images: Tensor, gradients: Tensor, towards: Tensor, margins: Tensor, size: float, share: float) -> Tensor:
    """Each image with the change that misleads the classifier most, to first order: s * g / rms(g), where g is the
    gradient of its logit (Goodfellow et al. 2015, in the L2 norm).

    A classifier that also learns from these cannot rest on what little suffices: it has to look at more of what tells
    the groups apart. One that is not right about an image is not misled about it, and nobody is misled further than by
    a share of what would undo the image's own logit: else a classifier of a disease that is hard to see unlearns it.

    Args:
        images, gradients: (batch, channels, *grid); of the logit.
        towards: (batch,), 1 where a higher logit is wrong, -1 where a lower one is.
        margins: (batch,), how far the logit is on the right side; negative on the wrong one.
        size: largest root mean square of the change over an image's voxels. An image without a gradient stays as it is.
        share: of the change that would bring the logit to 0.
    """
    axes = tuple(range(1, images.dim()))
    steepness = gradients.square().mean(axes, keepdim=True).sqrt().clamp(min=torch.finfo(gradients.dtype).tiny)
    each = [-1, *[1] * (images.dim() - 1)]
    # s * g / rms(g) moves the logit by s * rms(g) times the number of voxels.
    undoes = margins.clamp(min=0).reshape(each) / (steepness * gradients[0].numel())
    return images + towards.reshape(each) * (share * undoes).clamp(max=size) * gradients / steepness


def mix(images: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Mixup (Zhang et al. 2018): x = l x_i + (1 - l) x_j and likewise the target, l ~ Beta(alpha, alpha).

    A classifier that is linear between images looks at all that tells the groups apart, not only at the easiest part.

    Args:
        images: (batch, channels, *grid).
        targets: (batch,), between 0 and 1.
        alpha: 0 leaves both as they are.
    """
    if not alpha:
        return images, targets
    share = torch.distributions.Beta(alpha, alpha).sample((len(images),)).to(images.device)
    other = torch.randperm(len(images))
    of_image = share.reshape(-1, *[1] * (images.dim() - 1))
    return of_image * images + (1 - of_image) * images[other], share * targets + (1 - share) * targets[other]


def augment(images: Tensor, flip: bool, shift_voxels: int, intensity: float = 0.0) -> Tensor:
    """Mirror, shift and scale each image of a batch at random.

    Args:
        images: (batch, 1, *grid).
        flip: whether half of the images are mirrored along their first spatial axis (left-right).
        shift_voxels: largest shift along each axis, in whole voxels; the border wraps around, where there is only
            background.
        intensity: sd of the gain (about 1) and of the offset (about 0) that each image gets; the z-score of a whole
            brain depends on how much fluid is in it, and the classifier is to look at shape.
    """
    if flip:
        images = mirror(images, torch.rand(len(images)) < 0.5)
    if shift_voxels:
        axes = list(range(1, images.dim() - 1))
        shifts = torch.randint(-shift_voxels, shift_voxels + 1, (len(images), len(axes))).tolist()
        images = torch.stack([image.roll(shift, axes) for image, shift in zip(images, shifts, strict=True)])
    if intensity:
        gain, offset = intensity * torch.randn(2, len(images), *[1] * (images.dim() - 1), device=images.device)
        images = (1 + gain) * images + offset
    return images


def mirror(images: Tensor, chosen: Tensor) -> Tensor:
    """The images (batch, 1, *grid), those chosen (batch,) bool mirrored along their first spatial axis (left-right)."""
    chosen = chosen.to(images.device).reshape(-1, *[1] * (images.dim() - 1))
    return torch.where(chosen, images.flip(MIRRORED), images)


@torch.no_grad()
def logits(network: nn.Module, images: Tensor | Images, batch_size: int = BATCH) -> Tensor:
    """Logits (n,) of images (n, 1, *grid), a batch at a time, in evaluation mode."""
    network.eval()
    return torch.cat([network(batch) for batch in images.split(batch_size)])


def _validate(network: nn.Module, images: Images, patients: Tensor) -> dict:
    """Cross-entropy and accuracy, both groups weighing the same."""
    predicted = logits(network, images)
    right = ((predicted > 0) == patients.bool()).float()
    losses = binary_cross_entropy_with_logits(predicted, patients, reduction="none")
    of_groups = [patients == group for group in (0, 1)]
    return {
        "validation_loss": fmean(losses[members].mean().item() for members in of_groups),
        "validation_balanced_accuracy": fmean(right[members].mean().item() for members in of_groups),
    }
