"""Normalised cross-correlation of two maps."""

import numpy as np


def ncc(first: np.ndarray, second: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Pearson correlation of two maps over the voxels of a mask.

    NCC = sum((a - mean a)(b - mean b)) / sqrt(sum((a - mean a)^2) sum((b - mean b)^2)), the measure of Liu et al. 2021.
    It ignores scale and offset, so a map in any unit can be compared with a truth in another; the sign counts.

    Args:
        first, second: arrays of one shape; any unit.
        mask: boolean array of the same shape; None for all voxels.

    Returns:
        A number from -1 to 1, or nan where it is undefined: a map that is constant inside the mask, or not finite.

    Raises:
        ValueError: where the shapes differ or the mask is empty.
    """
    if first.shape != second.shape or (mask is not None and mask.shape != first.shape):
        shapes = [array.shape for array in (first, second, mask) if array is not None]
        raise ValueError(f"maps and mask must have one shape, received {shapes}")
    if mask is not None:
        first, second = first[mask], second[mask]
    if first.size == 0:
        raise ValueError("the mask holds no voxel")
    a = first.ravel().astype(np.float64)
    b = second.ravel().astype(np.float64)
    if _is_constant(a) or _is_constant(b):
        return float("nan")
    a = a - a.mean()
    b = b - b.mean()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))


def _is_constant(values: np.ndarray) -> bool:
    """Also true of values that are not finite, whose range is not a positive number."""
    spread = values.max() - values.min()
    return not (np.isfinite(spread) and spread > 1e-12 * np.abs(values).max())
