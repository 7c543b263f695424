"""Simulate one scan of the demo: the standard head with a subject's anatomy and disease, as a scanner would see it.

The chain of maps, from a voxel of the scan to the standard head (all pull-backs, RAS mm):
    scan voxel -(affine)-> scanner -(pose)-> subject at standard size -(anatomy)-> standard -(disease)-> standard head.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_fill_holes, zoom

from counterwarp.cohorts.deform import Frame, Grid, conjugated, exponential, flow, random_velocity
from counterwarp.cohorts.phantom import HEAD

# Deformations are smooth: this grid is fine enough for them and covers the head.
COARSE = Grid((54, 65, 59), 4.0, HEAD.origin_mm)
ANATOMY_SMOOTHNESS_MM = 14.0
FIELD_OF_VIEW_MM = (196.0, 236.0, 216.0)


@dataclass(frozen=True)
class Anatomy:
    """What stays the same in all scans of a subject: the displacement (mm, on COARSE) and its inverse; head size."""

    forward: np.ndarray
    inverse: np.ndarray
    size: float


@dataclass(frozen=True)
class Scanner:
    """What differs between two scans of one head."""

    affine: np.ndarray
    shape: tuple[int, int, int]
    pose: np.ndarray
    contrast: float
    bias: np.ndarray
    noise_seed: int


@dataclass(frozen=True)
class SimulatedScan:
    """A scan with its truth, all on its own voxel grid.

    Attributes:
        image: T1-weighted signal, float32, white matter about 1000.
        brain_mask: bool.
        log_jacobian: log of the tissue's volume change by the disease, expansion positive. For a scan with disease, the
            change that it has suffered; for one without, the change that a disease of the severity given would make.
        affine: voxel -> scanner mm (RAS).
        pose: scanner mm -> MNI152 mm of the standard head.
    """

    image: np.ndarray
    brain_mask: np.ndarray
    log_jacobian: np.ndarray
    affine: np.ndarray
    pose: np.ndarray


def draw_anatomy(
    rng: np.random.Generator, brain: np.ndarray, anatomy_mm: float, sex: str, opposite: bool = False
) -> Anatomy:
    """A random smooth diffeomorphism of the head, and a head size (men's are 6 % longer).

    Args:
        rng: draws both.
        brain: the standard brain on HEAD, bool.
        anatomy_mm: root mean square displacement inside the brain.
        sex: "F" or "M".
        opposite: the inverse of what the same generator gives otherwise.
    """
    inside = HEAD.sample(brain.astype(np.float32), COARSE.points()) > 0.5
    velocity = random_velocity(COARSE, inside, anatomy_mm, ANATOMY_SMOOTHNESS_MM, rng)
    sign = -1 if opposite else 1
    velocity *= sign
    size = (1 + sign * rng.normal(0, 0.03)) * (1.03 if sex == "M" else 0.97)
    return Anatomy(exponential(COARSE, velocity), exponential(COARSE, -velocity), float(size))


def draw_scanner(rng: np.random.Generator, size: float, voxel_mm: float) -> Scanner:
    """Pose, header, contrast and bias field of one scan: every scan has its own voxel edges and axis order."""
    turn = _rotation(rng.normal(0, 6, 3))
    to_scanner = np.eye(4)
    to_scanner[:3, :3] = turn * size
    to_scanner[:3, 3] = rng.normal(0, 6, 3)
    edges = voxel_mm * rng.uniform(0.9, 1.1, 3)
    field = np.array(FIELD_OF_VIEW_MM) * size
    header = _rotation(rng.normal(0, 3, 3)) @ np.diag(edges)
    shape = np.ceil(field / edges).astype(int)
    centre = to_scanner[:3, :3] @ (np.array(HEAD.origin_mm) + np.array(HEAD.shape) * HEAD.voxel_mm / 2)
    affine = np.eye(4)
    affine[:3, :3] = header
    affine[:3, 3] = centre + to_scanner[:3, 3] - header @ ((shape - 1) / 2)
    affine, shape = _reorder(affine, shape, rng)
    bias = rng.normal(0, 0.15, (3, 3, 3))
    return Scanner(
        affine, tuple(shape), np.linalg.inv(to_scanner), rng.uniform(0.85, 1.2), bias, int(rng.integers(2**31))
    )


def _rotation(degrees: np.ndarray) -> np.ndarray:
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        turn = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[[i, i, j, j], [i, j, i, j]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        matrix = matrix @ turn
    return matrix


def _reorder(affine: np.ndarray, shape: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The same voxels stored in another axis order and direction."""
    order = rng.permutation(3)
    flip = rng.random(3) < 0.5
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for new, old in enumerate(order):
        matrix[old, new] = -1 if flip[new] else 1
        matrix[old, 3] = shape[old] - 1 if flip[new] else 0
    return affine @ matrix, shape[order]


def simulate(
    signal: np.ndarray,
    brain: np.ndarray,
    velocity: np.ndarray,
    anatomy: Anatomy,
    scanner: Scanner,
    severity: float,
    ageing: float,
    counterfactual_severity: float,
    noise: float,
) -> SimulatedScan:
    """Render one scan with its truth.

    Args:
        signal, brain: the standard head on HEAD.
        velocity: of the disease, as `phantom.disease_velocity` gives it.
        anatomy, scanner: of this subject and this scan.
        severity: of the disease in this scan; 0 for none.
        ageing: severity that age has added, in patients and controls alike; it is no part of the truth.
        counterfactual_severity: what the truth of a scan without disease is made for.
        noise: sd of the Rician noise as a share of the white-matter signal.
    """
    voxels = np.stack(np.meshgrid(*[np.arange(n) for n in scanner.shape], indexing="ij"))
    subject = _apply(scanner.pose @ scanner.affine, voxels)
    standard = COARSE.move(anatomy.forward, subject)
    step = severity if severity else -counterfactual_severity
    diseased, log_jacobian = disease(anatomy, velocity, step, standard)
    # Ageing flows along the same velocity, so that it may come first or last.
    source, _ = flow(HEAD, velocity, diseased if severity else standard, ageing)
    mask = HEAD.sample(brain.astype(np.float32), source, outside="constant") > 0.5
    return SimulatedScan(
        _acquire(HEAD.sample(signal, source, outside="constant"), scanner, noise),
        binary_fill_holes(mask),
        log_jacobian,
        scanner.affine,
        scanner.pose,
    )


def true_change(
    signal: np.ndarray, velocity: np.ndarray, anatomy: Anatomy, scanner: Scanner, earlier: float, later: float
) -> np.ndarray:
    """What two scans of a subject would show of the change between them without noise, bias field or registration.

    Args:
        signal: the standard head on HEAD.
        velocity: of the disease, along which ageing flows too.
        anatomy: of the subject.
        scanner: of the later scan: place, voxels and contrast.
        earlier, later: severity and ageing together, at either scan.

    Returns:
        On the later scan's voxels: the earlier head in the later one's place minus the later one, white matter about
        1000, float32.
    """
    voxels = np.stack(np.meshgrid(*[np.arange(n) for n in scanner.shape], indexing="ij"))
    standard = COARSE.move(anatomy.forward, _apply(scanner.pose @ scanner.affine, voxels))
    seen = [
        np.power(HEAD.sample(signal, flow(HEAD, velocity, standard, state)[0], outside="constant"), scanner.contrast)
        for state in (earlier, later)
    ]
    return (1000 * (seen[0] - seen[1])).astype(np.float32)


def disease(anatomy: Anatomy, velocity: np.ndarray, step: float, standard: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move points by the disease, and give the change of volume that it makes in the subject's own frame.

    The disease acts in the subject as P = A^-1 o exp(s u) o A, a pull-back from the diseased to the healthy frame
    (`deform.conjugated`). In the diseased frame the tissue's change is minus log det DP; in the healthy frame, plus
    that of the inverse map, -s.

    Args:
        anatomy: A and its inverse.
        velocity: u.
        step: s, the severity for the diseased frame, or minus it for the healthy one.
        standard: A(y) (3, ...), RAS mm.

    Returns:
        exp(s u)(A(y)), and log of the tissue's volume change at y, expansion positive.
    """
    frame = Frame(COARSE, anatomy.forward, anatomy.inverse)
    diseased, _, log_det = conjugated(frame, HEAD, velocity, step, standard)
    return diseased, (-np.sign(step) * log_det).astype(np.float32)


def _acquire(signal: np.ndarray, scanner: Scanner, noise: float) -> np.ndarray:
    rng = np.random.default_rng(scanner.noise_seed)
    bias = zoom(scanner.bias, np.array(scanner.shape) / 3, order=3, mode="nearest", grid_mode=True)
    clean = np.power(signal, scanner.contrast) * np.exp(bias)
    parts = rng.normal(0, noise, (2, *scanner.shape))
    return (1000 * np.hypot(clean + parts[0], parts[1])).astype(np.float32)


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.tensordot(matrix[:3, :3], points, 1) + matrix[:3, 3].reshape(3, 1, 1, 1)
