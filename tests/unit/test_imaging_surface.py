"""What lies outside and inside the surface of a mask, on a drawn head: bright ball, dark shell, bright shell."""

import numpy as np
import pytest
from counterwarp.imaging.io import Volume
from counterwarp.imaging.surface import surface

BRAIN_MM, SKULL_MM, SCALP_MM = 50.0, 62.0, 72.0


def head(voxel_mm=2.0, skull=True):
    """The scan, and the distance of each voxel from its centre, mm."""
    length = int(160 / voxel_mm)
    place = (np.stack(np.meshgrid(*[np.arange(length)] * 3, indexing="ij"), -1) - (length - 1) / 2) * voxel_mm
    away = np.linalg.norm(place, axis=-1)
    signal = np.where(away < BRAIN_MM, 100, np.where(skull & (away > SKULL_MM) & (away < SCALP_MM), 90, 10 * skull))
    return Volume(signal.astype(np.float32), np.diag([voxel_mm] * 3 + [1.0])), away, place


@pytest.mark.parametrize("voxel_mm", [1.0, 2.0, 4.0])
def test_a_good_mask_ends_where_the_brain_ends(voxel_mm):
    scan, away, _ = head(voxel_mm)
    found = surface(scan, away < BRAIN_MM)
    assert found["outside_signal"] == pytest.approx(0.1, abs=0.02)
    assert found["cut_share"] == found["loose_share"] == 0


def test_around_a_mask_too_small_is_brain():
    scan, away, _ = head()
    found = surface(scan, away < BRAIN_MM - 8)
    assert found == {"outside_signal": pytest.approx(1), "cut_share": 1, "loose_share": 0}


def test_a_mask_too_large_holds_skull():
    scan, away, _ = head()
    found = surface(scan, away < SKULL_MM)
    assert found["outside_signal"] == pytest.approx(0.9, abs=0.01)
    assert found["loose_share"] == 1


def test_a_cut_counts_by_its_share_of_the_surface():
    """A plane through the centre: the disc is a third of a half ball's surface, pi r^2 of 3 pi r^2; at its rim, half a
    piece wide, a piece sees skull as well."""
    scan, away, place = head()
    found = surface(scan, (away < BRAIN_MM) & (place[..., 0] < 0))
    assert ((BRAIN_MM - 17) / BRAIN_MM) ** 2 / 3 < found["cut_share"] < 1 / 3
    assert found["outside_signal"] == pytest.approx(0.1)  # the median is of the rest


def test_without_a_skull_a_dark_rim_tells_nothing():
    scan, away, _ = head(skull=False)
    assert surface(scan, away < SKULL_MM) == {"outside_signal": 0, "cut_share": 0, "loose_share": 0}
    no_signal_in_skull = Volume(np.where(head()[0].data == 10, 0, head()[0].data), scan.affine)
    assert surface(no_signal_in_skull, away < BRAIN_MM + 6)["loose_share"] == 1
    assert surface(scan, away < BRAIN_MM - 8)["cut_share"] == 1


def test_a_brain_at_the_border_of_the_field_of_view_has_air_outside():
    scan, away, _ = head()
    half = Volume(scan.data[40:], scan.affine)
    assert surface(half, (away < BRAIN_MM)[40:])["cut_share"] == 0
