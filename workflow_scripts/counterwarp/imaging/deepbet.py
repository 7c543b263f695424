"""deepbet (Fisch 2024), a network trained on the heads of thousands of people; its package carries the weights."""

import nibabel as nib
import numpy as np

from counterwarp.errors import ScanError
from counterwarp.imaging.io import Volume


def deepbet(scan: Volume) -> tuple[np.ndarray, str]:
    """Brain by deepbet: its bool mask on the scan's grid, and what was called.

    Args:
        scan: a head, about upright.

    Raises:
        ScanError: it sees no brain.
    """
    # Seconds of import, for the jobs that use it alone.
    import torch
    from deepbet.bet import BrainExtraction

    # Another number of threads changes the last digits.
    torch.set_num_threads(1)
    try:
        _, mask, _ = BrainExtraction(no_gpu=True).run(nib.Nifti1Image(scan.data, scan.affine))
    except (AssertionError, ValueError, RuntimeError) as error:
        raise ScanError(
            f"deepbet found no brain ({error}); look at the scan: is it a whole T1-weighted head?"
        ) from error
    return np.asanyarray(mask.dataobj) > 0, "deepbet.bet.BrainExtraction(no_gpu=True).run(scan)"
