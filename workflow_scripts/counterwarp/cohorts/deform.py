"""Smooth invertible deformations of space, from velocity fields on a regular grid.

A field is an array of shape (3, x, y, z): a displacement or velocity in mm, along the axes of the world, on a grid
whose axes are the world's. Maps are pull-backs: the image moved by a map m is image(m(p)).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates


@dataclass(frozen=True)
class Grid:
    """A regular grid with axes along the world's: shape in voxels, one voxel edge in mm, world position of voxel 0."""

    shape: tuple[int, int, int]
    voxel_mm: float
    origin_mm: tuple[float, float, float]

    @property
    def affine(self) -> np.ndarray:
        """4 x 4 matrix from voxels to world mm."""
        matrix = np.diag([self.voxel_mm] * 3 + [1.0])
        matrix[:3, 3] = self.origin_mm
        return matrix

    def points(self) -> np.ndarray:
        """World position of every voxel, (3, x, y, z), mm."""
        axes = [
            origin + self.voxel_mm * np.arange(n, dtype=np.float32)
            for n, origin in zip(self.shape, self.origin_mm, strict=True)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"))

    def sample(self, values: np.ndarray, points: np.ndarray, outside: str = "nearest") -> np.ndarray:
        """Values on this grid, interpolated linearly at world points (3, ...)."""
        origin = np.reshape(self.origin_mm, (3,) + (1,) * (points.ndim - 1))
        return map_coordinates(values, (points - origin) / self.voxel_mm, order=1, mode=outside)

    def move(self, field: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The points (3, ...) after the displacement `field` of this grid."""
        return points + np.stack([self.sample(component, points) for component in field])


def exponential(grid: Grid, velocity: np.ndarray) -> np.ndarray:
    """Displacement, in mm, of the flow of a stationary velocity after unit time, by scaling and squaring.

    The first step moves no point by more than an eighth of a voxel.
    """
    squarings = max(0, int(np.ceil(np.log2(8 * np.abs(velocity).max() / grid.voxel_mm + 1e-9))))
    points = grid.points()
    displacement = velocity / 2**squarings
    for _ in range(squarings):
        displacement = grid.move(displacement, points + displacement) - points
    return displacement


def flow(
    grid: Grid, velocity: np.ndarray, points: np.ndarray, time: float, divergence: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Move points along a stationary velocity (Runge-Kutta of fourth order, no step longer than a voxel).

    For a few points this is cheaper than `exponential`, which moves the whole grid.

    Args:
        grid: of the velocity.
        velocity: mm per unit of time.
        points: (3, ...), world mm.
        time: of the flow; negative flows back.
        divergence: of the velocity, on the grid.

    Returns:
        The points after the flow exp(time v).
        log det of its derivative at the points given, the integral of the divergence along each path (Liouville); None
        without a divergence.
    """
    steps = max(1, int(np.ceil(abs(time) * np.abs(velocity).max() / grid.voxel_mm)))
    pace, log_det = time / steps, None if divergence is None else 0.0

    def rate(places):
        return np.stack([grid.sample(component, places) for component in velocity])

    for _ in range(steps if time else 0):
        places, rates = [points], [rate(points)]
        for share in (0.5, 0.5, 1.0):
            places.append(points + share * pace * rates[-1])
            rates.append(rate(places[-1]))
        if divergence is not None:
            first, second, third, last = (grid.sample(divergence, place) for place in places)
            log_det = log_det + pace / 6 * (first + 2 * second + 2 * third + last)
        points = points + pace / 6 * (rates[0] + 2 * rates[1] + 2 * rates[2] + rates[3])
    return points, log_det


def divergence_of(grid: Grid, field: np.ndarray) -> np.ndarray:
    """Sum of the derivatives of each component along its own axis, by central differences."""
    return sum(np.gradient(component, grid.voxel_mm, axis=axis) for axis, component in enumerate(field))


def log_determinant(grid: Grid, displacement: np.ndarray) -> np.ndarray:
    """log det of the derivative of p -> p + displacement(p) by central differences, shape of the grid.

    Raises:
        ValueError: where the map folds.
    """
    (a, b, c), (d, e, f), (g, h, i) = (np.gradient(component, grid.voxel_mm) for component in displacement)
    a, e, i = a + 1, e + 1, i + 1
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    if determinant.min() <= 0:
        raise ValueError(f"the deformation folds: smallest determinant {determinant.min():.3f}; use a weaker one")
    return np.log(determinant)


def field_of_divergence(grid: Grid, divergence: np.ndarray) -> np.ndarray:
    """The curl-free velocity, mm, whose divergence is the array given less its mean (Poisson's equation, by FFT)."""
    frequencies = [2 * np.pi * np.fft.fftfreq(n, grid.voxel_mm) for n in grid.shape]
    k = np.stack(np.meshgrid(*frequencies, indexing="ij"))
    squared = (k**2).sum(0)
    squared[0, 0, 0] = np.inf
    potential = -np.fft.fftn(divergence) / squared
    return np.stack([np.fft.ifftn(1j * component * potential).real for component in k])


def velocity_of(
    grid: Grid, brain: np.ndarray, changes: list[tuple[np.ndarray, float]], blur_mm: float, rim_mm: float
) -> np.ndarray:
    """Velocity, mm, whose flow over time s is the pull-back map of a disease at severity s.

    Its divergence is minus the log-change of volume asked for in each region: a pull-back that samples a smaller piece
    of the source makes the tissue expand.

    Args:
        grid: where it lives.
        brain: (x, y, z) bool.
        changes: of each region its voxels (x, y, z) bool and the log of its volume's change, mean over the region.
        blur_mm: sd of the Gaussian that smooths the change at a region's edge.
        rim_mm: width of the rim around the brain that loses what the regions gain, so that the head stays as large.
    """
    wanted = np.zeros(grid.shape)
    for inside, change in changes:
        blurred = gaussian_filter(inside.astype(float), blur_mm / grid.voxel_mm)
        # The blur spreads the change over the region's edge; the region itself is to change as asked.
        wanted += change * blurred / blurred[inside].mean()
    wanted[~brain] = 0
    rim = (distance_transform_edt(~brain, sampling=grid.voxel_mm) <= rim_mm) & ~brain
    wanted[rim] = -wanted.sum() / rim.sum()
    return field_of_divergence(grid, -wanted).astype(np.float32)


@dataclass(frozen=True)
class Frame:
    """A map and its inverse, as displacements (3, x, y, z) in mm on one grid: here to a standard and back."""

    grid: Grid
    forward: np.ndarray
    inverse: np.ndarray


def conjugated(
    frame: Frame, grid: Grid, velocity: np.ndarray, time: float, standard: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move points by A^-1 o exp(time v) o A: a flow that is known in the standard frame, in a subject's own.

    log det DP(y) = log det DA(y) + log det D exp(time v)(A(y)) - log det DA(P(y)).

    Args:
        frame: A and its inverse.
        grid, velocity: v, of the standard frame.
        time: of the flow.
        standard: A(y) (3, ...), of the points y, RAS mm.

    Returns:
        exp(time v)(A(y)); P(y) - y; and log det DP(y).

    Raises:
        ValueError: A folds.
    """
    moved, of_flow = flow(grid, velocity, standard, time, divergence_of(grid, velocity))
    of_frame = log_determinant(frame.grid, frame.forward)
    there = frame.grid.move(frame.inverse, moved)
    # A^-1 o A is the identity but for interpolation; taking y through it too makes that error cancel.
    here = frame.grid.move(frame.inverse, standard)
    log_det = frame.grid.sample(of_frame, here) + of_flow - frame.grid.sample(of_frame, there)
    return moved, there - here, log_det


def random_velocity(grid: Grid, inside: np.ndarray, amplitude_mm: float, smoothness_mm: float, rng) -> np.ndarray:
    """A smooth random velocity field, mm, without an affine part.

    Args:
        grid: where it lives.
        inside: (x, y, z) bool; the root mean square and the affine part are taken over these voxels.
        amplitude_mm: root mean square of its length.
        smoothness_mm: sd of the Gaussian that smooths it.
        rng: numpy Generator.
    """
    noise = rng.standard_normal((3, *grid.shape))
    velocity = np.stack([gaussian_filter(n, smoothness_mm / grid.voxel_mm, mode="wrap") for n in noise])
    points = grid.points()
    design = np.concatenate([points[:, inside], np.ones((1, inside.sum()))]).T
    everywhere = np.concatenate([points.reshape(3, -1), np.ones((1, points[0].size))]).T
    for component in velocity:
        fit = np.linalg.lstsq(design, component[inside], rcond=None)[0]
        # The affine part grows without bound away from the brain, so it is taken off only as far as it is known.
        component -= np.clip(everywhere @ fit, *np.quantile(design @ fit, [0, 1])).reshape(grid.shape)
    return velocity * (amplitude_mm / np.sqrt((velocity[:, inside] ** 2).sum(0).mean()))
