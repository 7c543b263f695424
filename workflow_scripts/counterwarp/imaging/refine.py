"""How well a registered brain and its mask lie on the template, and how far a better place would be."""

from functools import cached_property

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter, map_coordinates

from counterwarp.imaging.io import Volume
from counterwarp.imaging.resample import FWHM_PER_SD, at_least, near_mask, resample

# A blurred image has no finer detail, and a linear map needs none.
WORKING_MM = 4.0
# The image as an average brain would look: a sharp scan is not worse registered than a blurred one.
BLUR_MM = 8.0
# What is compared: the template's brain and its surroundings, where the edge of the brain is.
AROUND_MM = 8.0
# Voxels of air around the template, so that what lies beyond its grid counts as well.
AIR = 8
STEPS = 4
# Of the template's mm: rotations and shifts then weigh alike in the equations.
REACH_MM = 50.0


class Ground:
    """The template as the comparison sees it: blurred, on coarse voxels, with air around it.

    Args:
        template, mask: skull-stripped T1 and its brain mask, one grid with axes at right angles.
    """

    def __init__(self, template: Volume, mask: np.ndarray):
        coarse = at_least(template, WORKING_MM)
        inside = resample(mask, template.affine, coarse.shape, coarse.affine) > 0.5
        self.affine = coarse.affine @ np.block([[np.eye(3), -AIR * np.ones((3, 1))], [np.zeros(3), 1]])
        self.voxel_mm = coarse.voxel_mm
        self.mask = np.pad(inside, AIR)
        self.image = self.blurred(np.pad(coarse.data, AIR))

    def blurred(self, data: np.ndarray) -> np.ndarray:
        """An image on this grid, blurred."""
        return gaussian_filter(data, BLUR_MM / FWHM_PER_SD / self.voxel_mm)

    def carried(self, data: np.ndarray, affine: np.ndarray, world: np.ndarray) -> np.ndarray:
        """An image (voxel -> mm by `affine`) on this grid by a linear map, its mm -> the template's mm."""
        coarse = at_least(Volume(np.asarray(data, np.float32), affine), WORKING_MM)
        return resample(coarse.data, coarse.affine, self.mask.shape, self.affine, world)

    @cached_property
    def around(self) -> np.ndarray:
        """The template's brain and its surroundings, bool."""
        rounds = max(round(AROUND_MM / float(self.voxel_mm.mean())), 1)
        return binary_dilation(self.mask, iterations=rounds)


def fit(ground: Ground, scan: Volume, mask: np.ndarray, world: np.ndarray) -> dict:
    """How a brain lies on the template.

    Args:
        ground: of the template.
        scan, mask: bias-corrected scan and its brain (bool, not empty), one grid.
        world: 4 x 4, scanner mm -> the template's mm.

    Returns:
        template_dice (of the two masks); beyond_share (of the mask, more than 8 mm outside the template's brain);
        template_correlation (in and around the template's brain, both blurred); misfit_mm (`misfit`).
    """
    scan, mask = near_mask(scan, mask, WORKING_MM)
    inside = ground.carried(mask, scan.affine, world) > 0.5
    moved = ground.blurred(ground.carried(scan.data * mask, scan.affine, world))
    agreement, move = misfit(ground, moved)
    size = max(int(inside.sum()), 1)
    return {
        "template_dice": float(2 * (inside & ground.mask).sum() / (size + ground.mask.sum())),
        "beyond_share": float((inside & ~ground.around).sum() / size),
        "template_correlation": agreement,
        "misfit_mm": move,
    }


def misfit(ground: Ground, moved: np.ndarray) -> tuple[float, float]:
    """Correlation of a brain with the template, and how far the affine that betters it most moves the brain.

    Gauss and Newton's steps on a moved(E p) + b - template(p), over E (12 parameters), a and b; they are few, so that
    it is a near optimum that they find. A registration at its optimum moves by little.

    Args:
        ground: of the template.
        moved: the brain on its grid, blurred.

    Returns:
        The correlation as it is, and the mean over the template's brain, mm, of the move to the best place found.
    """
    edge = ground.voxel_mm
    points, landmarks = (np.argwhere(part) * edge for part in (ground.around, ground.mask))
    goal, centre = ground.image[ground.around], points.mean(0)
    places = np.c_[(points - centre) / REACH_MM, np.ones(len(points))]
    slopes = np.gradient(moved, *edge)
    linear, shift = np.eye(3), np.zeros(3)
    found = []
    for step in range(STEPS + 1):
        voxels = ((points @ linear.T + shift) / edge).T
        values = map_coordinates(moved, voxels, order=1)
        found.append((correlation(values, goal), _mean_move(landmarks, linear, shift)))
        if step == STEPS or not values.std() > 0:
            break
        columns = [map_coordinates(slope, voxels, order=1) * places[:, k] for slope in slopes for k in range(4)]
        design = np.stack([values, np.ones_like(values), *columns], 1)
        solved = np.linalg.lstsq(design.T @ design, design.T @ goal, rcond=1e-10)[0]
        if not solved[0] > 0:
            break
        change = solved[2:].reshape(3, 4) / solved[0]
        turn = change[:, :3] / REACH_MM
        linear, shift = linear + turn, shift + change[:, 3] - turn @ centre
    return found[0][0], max(found)[1]


def correlation(a: np.ndarray, b: np.ndarray, mask: np.ndarray = ...) -> float:
    """Pearson's correlation of two images, inside a mask if one is given; 0 where one of them is constant."""
    x, y = a[mask] - a[mask].mean(), b[mask] - b[mask].mean()
    scale = np.sqrt((x**2).sum() * (y**2).sum())
    return float((x * y).sum() / scale) if scale > 0 else 0.0


def _mean_move(points: np.ndarray, linear: np.ndarray, shift: np.ndarray) -> float:
    return float(np.linalg.norm(points @ linear.T + shift - points, axis=1).mean())
