"""Find how a head or brain is turned, before any registration: a search over rotations, translations by Fourier.

A registration climbs from where it starts, and a head that is tilted by more than some 20 degrees is out of its reach.
So every rotation of a coarse grid is tried, each with its best translation, and a registration starts from those at
which the two images correlate best.
"""

from itertools import product

import numpy as np
from scipy.fft import irfftn, next_fast_len, rfftn
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation

from counterwarp.errors import ScanError
from counterwarp.imaging.io import Volume
from counterwarp.imaging.resample import resample

SEARCH_MM = 8.0
# About each axis; a registration's own reach is more than half a step.
ANGLES = (-60, -30, 0, 30, 60)
# Brighter voxels count as bright as this quantile: a few vessels or fat would else decide.
BRIGHT = 0.98
# Darker than this share of the bright voxels is air.
AIR = 0.1


def best_starts(fixed: Volume, inside: np.ndarray, moving: Volume, count: int) -> list[np.ndarray]:
    """Rigid maps that bring a part of one image roughly to its place in another, the best first.

    Args:
        fixed: a head or brain.
        inside: bool mask on its grid: the part that is looked for.
        moving: the other, which may show less or more.
        count: of maps.

    Returns:
        4 x 4 world matrices, fixed mm -> moving mm (RAS), no two of them less than a step of the search apart.

    Raises:
        ScanError: an image has no voxel above 0.
    """
    boxes = _box(inside, fixed), _box(_seen(moving), moving)
    centre, moving_centre = (box.mean(0) for box in boxes)
    n = int(np.ceil(max(np.ptp(box, axis=0).max() for box in boxes) / SEARCH_MM)) + 2
    source = _on_cube(moving, moving_centre, n)
    mask = _on_cube(Volume(inside.astype(np.float32), fixed.affine), centre, n) > 0.5
    target = np.where(mask, _on_cube(fixed, centre, n), 0)
    target[mask] -= target[mask].mean()
    wide = (next_fast_len(2 * n, real=True),) * 3
    of_target, of_mask = (np.conj(rfftn(image.astype(np.float32), wide)) for image in (target, mask))
    found = []
    for angles in product(ANGLES, repeat=3):
        turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        middle = np.full(3, (n - 1) / 2)
        turned = affine_transform(source, turn, middle - turn @ middle, order=1, output=np.float32)
        spectrum = rfftn(turned, wide)
        mean = irfftn(spectrum * of_mask, wide) / mask.sum()
        power = irfftn(rfftn(turned**2, wide) * of_mask, wide) / mask.sum() - mean**2
        likeness = irfftn(spectrum * of_target, wide) / np.sqrt(np.maximum(power, 1e-4))
        place = np.unravel_index(np.argmax(likeness), wide)
        shift = np.array([p - wide[0] if p > wide[0] // 2 else p for p in place]) * SEARCH_MM
        found.append((likeness[place], turn, shift))
    found.sort(key=lambda entry: -entry[0])
    return [_matrix(turn, centre, moving_centre + turn @ shift) for _, turn, shift in found[:count]]


def tilt_degrees(matrix: np.ndarray) -> float:
    """The angle of the rotation in a world matrix, whatever its scales and shears."""
    left, _, right = np.linalg.svd(matrix[:3, :3])
    return float(np.degrees(Rotation.from_matrix(left @ right).magnitude()))


def _matrix(turn: np.ndarray, centre: np.ndarray, to: np.ndarray) -> np.ndarray:
    """The map x -> turn (x - centre) + to."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, to - turn @ centre
    return matrix


def _bright(volume: Volume) -> float:
    above = volume.data[volume.data > 0]
    if not above.size:
        raise ScanError("the image has no voxel above 0; look at the scan: is it a whole T1-weighted head?")
    return float(np.quantile(above, BRIGHT))


def _seen(volume: Volume) -> np.ndarray:
    return volume.data > AIR * _bright(volume)


def _box(mask: np.ndarray, volume: Volume) -> np.ndarray:
    """World position of two opposite corners of the box around a mask, (2, 3) mm."""
    places = np.argwhere(mask)
    return np.array([places.min(0), places.max(0)]) @ volume.affine[:3, :3].T + volume.affine[:3, 3]


def _on_cube(volume: Volume, centre: np.ndarray, n: int) -> np.ndarray:
    """The image, from 0 to 1, on a coarse cube of n voxels along RAS about a point, mm."""
    grid = np.diag([SEARCH_MM] * 3 + [1.0])
    grid[:3, 3] = centre - SEARCH_MM * (n - 1) / 2
    data = np.clip(volume.data / _bright(volume), 0, 1)
    return resample(data, volume.affine, (n, n, n), grid)
