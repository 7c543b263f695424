"""Slices of a brain with a map on top, in millimetres."""

from dataclasses import dataclass

import numpy as np

PLANES = ("sagittal", "coronal", "axial")


@dataclass(frozen=True)
class Volume:
    """An image whose axes run to the right, the front and the top, with the affine that gives their millimetres."""

    data: np.ndarray
    affine: np.ndarray

    @classmethod
    def of(cls, data: np.ndarray, affine: np.ndarray) -> "Volume":
        """Reorder and flip the axes of any array, without resampling."""
        import nibabel

        image = nibabel.as_closest_canonical(nibabel.Nifti1Image(np.asarray(data, dtype=np.float32), affine))
        return cls(image.get_fdata(dtype=np.float32), image.affine)

    def slice_at(self, plane: str, millimetres: float) -> tuple[np.ndarray, list[float]]:
        """A slice as rows from the top, and its extent (left, right, bottom, top) in mm.

        Raises:
            IndexError: where the image does not reach.
        """
        axis = PLANES.index(plane)
        index = round((millimetres - self.affine[axis, 3]) / self.affine[axis, axis])
        if not 0 <= index < self.data.shape[axis]:
            raise IndexError(f"{plane} slice at {millimetres} mm lies outside the image")
        across, up = (other for other in range(3) if other != axis)
        extent = []
        for other in (across, up):
            start, step = self.affine[other, 3], self.affine[other, other]
            extent += [start - step / 2, start + step * (self.data.shape[other] - 0.5)]
        return np.take(self.data, index, axis).T, extent


def at(mask: Volume, plane: str, share: float) -> float:
    """The place in mm of the slice that lies at a share of a mask's extent, from the left, the back or the bottom."""
    axis = PLANES.index(plane)
    inside = np.flatnonzero(_profile(mask.data, axis))
    index = round(inside[0] + share * (inside[-1] - inside[0]))
    return float(mask.affine[axis, 3] + mask.affine[axis, axis] * index)


def strongest(values: Volume, mask: Volume, plane: str) -> float:
    """The place in mm of the slice in which the absolute values inside a mask add up to most."""
    axis = PLANES.index(plane)
    others = tuple(other for other in range(3) if other != axis)
    index = int(np.argmax((np.abs(values.data) * (mask.data > 0.5)).sum(others)))
    return float(values.affine[axis, 3] + values.affine[axis, axis] * index)


def place_name(plane: str, millimetres: float) -> str:
    """Plane and coordinate, as a title."""
    return f"{plane}, {'xyz'[PLANES.index(plane)]} = {millimetres:z.0f} mm"


def _profile(data: np.ndarray, axis: int) -> np.ndarray:
    return (data > 0.5).sum(tuple(other for other in range(data.ndim) if other != axis))


def box(mask: Volume, plane: str, margin: float = 4.0) -> tuple[float, float, float, float]:
    """The extent in mm (left, right, bottom, top) that holds a mask in a plane."""
    limits = []
    for axis in (axis for axis in range(3) if axis != PLANES.index(plane)):
        inside = np.flatnonzero(_profile(mask.data, axis))
        start, step = mask.affine[axis, 3], mask.affine[axis, axis]
        limits += [start + step * inside[0] - margin, start + step * inside[-1] + margin]
    return tuple(limits)


def draw(axes, image: Volume, plane: str, millimetres: float, limits, shown: tuple[float, float]) -> None:
    """Draw a grey slice without frame. `shown`: the values drawn black and white."""
    pixels, extent = image.slice_at(plane, millimetres)
    axes.imshow(
        pixels, cmap="gray", vmin=shown[0], vmax=shown[1], extent=extent, origin="lower", interpolation="nearest"
    )
    axes.set(xlim=limits[:2], ylim=limits[2:], xticks=[], yticks=[], facecolor="black")
    axes.spines[:].set_visible(False)
    if plane != "sagittal":
        axes.text(0.02, 0.98, "L", color="white", fontsize=7, transform=axes.transAxes, ha="left", va="top")
        axes.text(0.98, 0.98, "R", color="white", fontsize=7, transform=axes.transAxes, ha="right", va="top")


def overlay(
    axes,
    values: Volume,
    mask: Volume,
    plane: str,
    millimetres: float,
    cmap: str,
    limit: float,
    low: float | None = None,
):
    """Draw a map over a slice, from -limit to limit, the stronger the less transparent.

    Args:
        values, mask: on one grid; the map is drawn where the mask is set.
        low: where the colours begin, if not at -limit.

    Returns:
        What a colour bar needs.
    """
    pixels, extent = values.slice_at(plane, millimetres)
    inside, _ = mask.slice_at(plane, millimetres)
    strength = np.clip(np.abs(pixels) / limit, 0, 1)
    # Change below a tenth of the range lets the anatomy through; from a third of the range on the colour is full.
    alpha = np.clip((strength - 0.1) / 0.23, 0, 1) * (inside > 0.5)
    colours = {"cmap": cmap, "vmin": -limit if low is None else low, "vmax": limit, "alpha": alpha}
    return axes.imshow(pixels, **colours, extent=extent, origin="lower", interpolation="nearest")


def outline(axes, region: Volume, plane: str, millimetres: float) -> None:
    """Draw the border of a region (values above 0.5) on a slice."""
    pixels, (left, right, bottom, top) = region.slice_at(plane, millimetres)
    if (pixels > 0.5).any() and not (pixels > 0.5).all():
        rows, columns = pixels.shape
        x = left + (right - left) * (np.arange(columns) + 0.5) / columns
        y = bottom + (top - bottom) * (np.arange(rows) + 0.5) / rows
        axes.contour(x, y, pixels, levels=[0.5], colors="#00a000", linewidths=0.9)
