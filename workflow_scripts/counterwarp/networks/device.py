"""Where networks run, and the same numbers each time that they run there."""

import ctypes
import logging
import sys

import torch

from counterwarp.errors import ConfigError

LOG = logging.getLogger("counterwarp")
# Parameters of glibc's mallopt: M_MMAP_MAX, M_TRIM_THRESHOLD, M_ARENA_MAX; M_MMAP_THRESHOLD, which else grows to 32 MB.
KEEP_FREED = {-4: 0, -1: 2**31 - 1, -8: 1}
GIVE_BACK = {-3: 2**20, -1: 2**20}

# Images of more voxels than this have tensors so large that what is kept between them would double the memory, for a
# quarter fewer CPU seconds.
KEPT_UP_TO = 1_000_000


def prepare(device: str, threads: int, seed: int = 0, voxels: int = 0) -> torch.device:
    """Choose the device, set the number of threads and the seed, and ask for reproducible arithmetic.

    Args:
        device: "auto", "cpu" or "cuda"; auto takes a GPU where torch sees one.
        threads: of the CPU; with another number, sums are taken in another order and differ in their last digits.
        seed: of torch's generator, the only source of randomness in training.
        voxels: of one image; see `manage_freed_memory`.

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
        manage_freed_memory(voxels)
        return torch.device("cpu")
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    properties = torch.cuda.get_device_properties(0)
    LOG.info("networks run on %s with %.1f GB", properties.name, properties.total_memory / 1e9)
    return torch.device("cuda")


def arithmetic(device: torch.device, precision: str) -> torch.autocast:
    """What the forward pass of a training runs in: as it is for "float32"; for "bfloat16", convolutions and matrix
    products in 16 bits that keep the exponent, so that losses need no scaling; weights stay in 32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def manage_freed_memory(voxels: int) -> None:
    """Have the C library keep what is freed for the next tensor, in place of asking the system anew; of images of more
    than KEPT_UP_TO voxels, have it give all back.

    Tensors above 32 MB are else mapped and cleared page by page each time, which takes half of a training step at 64^3.
    """
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
        for parameter, value in (KEEP_FREED if voxels <= KEPT_UP_TO else GIVE_BACK).items():
            ctypes.CDLL(None).mallopt(parameter, value)
