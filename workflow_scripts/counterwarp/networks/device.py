"""Where networks run, and the same numbers each time that they run there."""

import logging

import torch

from counterwarp.errors import ConfigError

LOG = logging.getLogger("counterwarp")


def prepare(device: str, threads: int, seed: int = 0) -> torch.device:
    """Choose the device, set the number of threads and the seed, and ask for reproducible arithmetic.

    Args:
        device: "auto", "cpu" or "cuda"; auto takes a GPU where torch sees one.
        threads: of the CPU; with another number, sums are taken in another order and differ in their last digits.
        seed: of torch's generator, the only source of randomness in training.

    Raises:
        ConfigError: the device is not known or not here.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError([f"device: {device!r} is not one of auto, cpu, cuda"])
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(["device: cuda is asked for but torch sees no GPU here; take auto or cpu"])
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    if device == "cpu" or not torch.cuda.is_available():
        reason = "as configured" if device == "cpu" else "torch sees no GPU"
        LOG.info("networks run on the CPU (%s) with %d threads", reason, threads)
        return torch.device("cpu")
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    properties = torch.cuda.get_device_properties(0)
    LOG.info("networks run on %s with %.1f GB", properties.name, properties.total_memory / 1e9)
    return torch.device("cuda")
