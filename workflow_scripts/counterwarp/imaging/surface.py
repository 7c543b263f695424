"""What a scan shows just outside and just inside the surface of its brain mask."""

import numpy as np
from scipy.ndimage import distance_transform_edt, uniform_filter

from counterwarp.imaging.io import Volume
from counterwarp.imaging.resample import at_least, near_mask, resample

# Finer voxels cost time and tell no more.
WORKING_MM = 2.0
# Deeper than this in a mask lies brain, whatever the mask's surface is like: the measure of a signal.
DEEP_MM = 10.0
# Shells outside and inside the surface; the nearest voxels belong to both sides.
SHELL_MM = (1.0, 5.0)
# Of the signal deep in the mask: grey matter has more than the first, fluid and skull less than the second.
BRIGHT, DARK = 0.6, 0.35
# A head is no less than this share of its brain's volume in bright voxels outside of it: else the skull is off.
LEAST_HEAD = 0.1
# The surface is judged in pieces of this edge, so that a gyrus or a sinus is not a fault.
PIECE_MM = 24.0
# A piece shows a fault where more than these shares of it are bright outside or dark inside.
MOST_BRIGHT, MOST_DARK = 0.6, 0.5


def surface(scan: Volume, mask: np.ndarray) -> dict:
    """How the signal changes at the surface of a mask, where a brain ends in fluid and skull, which are dark.

    Args:
        scan: bias-corrected T1, with or without skull.
        mask: bool, not empty, on its grid.

    Returns:
        outside_signal (median of the shell 1 to 5 mm outside, over the median deep in the mask); cut_share (of the
        surface, where it lies in brain); loose_share (of the surface, where what it holds is dark: fluid or skull; 0
        for a scan without skull, of which the edge is as others have left it).
    """
    whole, outer = scan, ~mask
    scan, mask = near_mask(scan, mask, 2 * SHELL_MM[1])
    coarse = at_least(scan, WORKING_MM)
    inside = mask if coarse is scan else resample(mask, scan.affine, coarse.shape, coarse.affine) > 0.5
    edge = coarse.voxel_mm
    # A brain at the border of the field of view has air outside.
    air = int(np.ceil(SHELL_MM[1] / edge.min())) + 1
    signal, inside = np.pad(coarse.data, air), np.pad(inside, air)
    depth, height = (distance_transform_edt(part, sampling=edge) for part in (inside, ~inside))
    # In coarse voxels a shell that begins one millimetre away may be empty.
    near, far = SHELL_MM[0], max(SHELL_MM[1], 1.5 * edge.max())
    rim, outside = (depth > near) & (depth <= far), (height > near) & (height <= far)
    deep = inside & (depth > DEEP_MM)
    brain = max(float(np.median(signal[deep if deep.any() else inside])), 1e-6)
    size = np.maximum(np.rint(PIECE_MM / edge).astype(int), 1)
    at_surface = (height > 0) & (height <= 1.5 * edge.max())

    def share(shell: np.ndarray, hit: np.ndarray, most: float) -> float:
        hits, total = (uniform_filter(part.astype(np.float32), size)[at_surface] for part in (shell & hit, shell))
        return float((hits > most * np.maximum(total, 1e-6)).mean())

    bare = (whole.data[outer] > DARK * brain).sum() < LEAST_HEAD * (outer.size - outer.sum())
    return {
        "outside_signal": float(np.median(signal[outside])) / brain,
        "cut_share": share(outside, signal > BRIGHT * brain, MOST_BRIGHT),
        "loose_share": share(rim, signal < DARK * brain, MOST_DARK) if not bare else 0.0,
    }
