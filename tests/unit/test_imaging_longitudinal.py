"""The change between two scans: of a head that only moved nothing is left, of one that changed the change."""

import json

import numpy as np
import pandas as pd
import pytest
from counterwarp.errors import CounterwarpError
from counterwarp.imaging.io import read_sidecar, read_volume, write_image
from counterwarp.imaging.longitudinal import RIGID, Scan, in_scanner, observed_change, pack_changes
from counterwarp.imaging.register import estimate
from counterwarp.imaging.resample import resample
from scipy.ndimage import gaussian_filter

SHAPE, EDGE = (48, 52, 44), 3.0
AFFINE = np.diag([EDGE, EDGE, EDGE, 1.0])
AFFINE[:3, 3] = -EDGE * (np.array(SHAPE) - 1) / 2


def brain():
    """An ellipsoid with a smooth texture, and its mask, on SHAPE."""
    away = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij"))
    mask = np.linalg.norm(away / 0.75, axis=0) < 1
    texture = gaussian_filter(np.random.default_rng(4).normal(size=SHAPE), 2.5)
    return np.where(mask, 10 + 3 * texture / texture.std(), 0).astype(np.float32), mask


def motion(degrees=6.0, shift=(4.0, -3.0, 5.0)):
    """Later mm -> earlier mm."""
    angle = np.radians(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = shift
    return matrix


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A later scan in which one place is darker by 4, and the earlier one, where the head lay elsewhere."""
    folder = tmp_path_factory.mktemp("pair")
    data, mask = brain()
    place = np.zeros(SHAPE, bool)
    place[28:34, 24:30, 20:26] = True
    write_image(np.where(place, data - 4, data), AFFINE, folder / "later.nii.gz", "scanner")
    write_image(mask, AFFINE, folder / "later_mask.nii.gz", "scanner")
    moved = resample(data, AFFINE, SHAPE, AFFINE, motion(), order=3)
    moved_mask = resample(mask, AFFINE, SHAPE, AFFINE, motion()) > 0.5
    write_image(np.where(moved_mask, moved, 0), AFFINE, folder / "earlier.nii.gz", "scanner")
    write_image(moved_mask, AFFINE, folder / "earlier_mask.nii.gz", "scanner")
    # Each scan was brought to the template by an affine of its own, the earlier one's larger by a tenth.
    (folder / "later.json").write_text(json.dumps({"WorldMatrix": np.eye(4).tolist()}))
    larger = np.diag([1.1, 1.1, 1.1, 1.0])
    (folder / "earlier.json").write_text(json.dumps({"WorldMatrix": larger.tolist()}))
    for name, order in (("earlier", 3), ("earlier_mask", 1)):
        volume = read_volume(folder / f"{name}.nii.gz")
        moved = resample(volume.data, AFFINE, SHAPE, AFFINE, larger, order)
        write_image(moved if order == 3 else moved > 0.5, AFFINE, folder / f"{name}.nii.gz", "MNI152")
    return folder, place


def scan_of(folder, name):
    return Scan(*(str(folder / f"{name}{end}") for end in (".nii.gz", "_mask.nii.gz", ".json")))


def test_the_motion_of_the_head_is_found(scans):
    folder, _ = scans
    found, _ = estimate(*(in_scanner(scan_of(folder, name)) for name in ("later", "earlier")), RIGID, seed=1)
    corners = np.array([[x, y, z, 1] for x in (-50, 50) for y in (-50, 50) for z in (-50, 50)]).T
    # A quarter of a voxel.
    assert np.abs((found - motion()) @ corners).max() < EDGE / 4


def test_what_only_moved_is_no_change_and_what_changed_is_one_with_its_sign(scans):
    folder, place = scans
    at = {name: str(folder / name) for name in ("change.nii.gz", "mask.nii.gz", "change.json")}
    template_mask = str(folder / "later_mask.nii.gz")
    pair = [scan_of(folder, name) for name in ("earlier", "later")]
    observed_change(*pair, template_mask, SHAPE, EDGE, 0, "z_score", *at.values(), seed=1, space="MNI152")
    change, mask = (read_volume(at[name]).data for name in ("change.nii.gz", "mask.nii.gz"))
    inside = np.zeros(SHAPE, bool)
    inside[30:32, 26:28, 22:24] = True
    elsewhere = (mask > 0.5) & ~place
    # 4 of a texture whose sd is 3: earlier minus later is brighter.
    assert change[inside].mean() == pytest.approx(4 / 3, abs=0.25)
    assert np.abs(change[elsewhere]).mean() < 0.15
    assert not change[mask < 0.5].any()
    assert read_sidecar(at["change.json"])["Units"].startswith("standard deviations")


def test_pairs_of_failed_scans_are_left_out(tmp_path):
    for name, value in (("a", 1.0), ("b", 2.0)):
        write_image(np.full((4, 4, 4), value), AFFINE, tmp_path / f"{name}.nii.gz", "MNI152")
        write_image(np.ones((4, 4, 4), bool), AFFINE, tmp_path / f"{name}_mask.nii.gz", "MNI152")
    write_image(np.ones((4, 4, 4)), AFFINE, tmp_path / "d.nii.gz", "MNI152")
    pairs = pd.DataFrame({"subject": list("1234"), "split": "test", "earlier": list("xyzw"), "later": list("abcd")})
    index = pd.DataFrame({"row": range(6), "scan": list("bcdxyz")})
    changes = {name: str(tmp_path / f"{name}.nii.gz") for name in "abd"}
    masks = {name: str(tmp_path / f"{name}_mask.nii.gz") for name in "ab"}
    pack_changes(pairs, index, changes, masks, tmp_path / "pairs.npz")
    with np.load(tmp_path / "pairs.npz") as packed:
        # a was not packed, c has no change, and the scan before d was not packed.
        assert packed["row"].tolist() == [0] and packed["subject"].tolist() == ["2"]
        assert (packed["change"] == 2).all() and packed["mask"].all()
    with pytest.raises(CounterwarpError, match="of 4 pairs of scans none is left"):
        pack_changes(pairs, index[:0], changes, masks, tmp_path / "pairs.npz")
