"""Real heads, as they came, turned and cut, are stripped and registered; only where the shared images are at hand."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from counterwarp.imaging.atlas import mni152
from counterwarp.imaging.io import Volume, as_volume, open_image
from counterwarp.imaging.qc import dice
from counterwarp.imaging.register import STAGES, check_plausible, estimate
from counterwarp.imaging.resample import resample
from counterwarp.imaging.strip import by_network, cut, has_no_skull, largest_solid
from counterwarp.resources import head_files
from scipy.spatial.transform import Rotation

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not (DATA / "heads_ixi").is_dir(), reason="the shared images are not at hand")
SLOW = pytest.mark.skipif("COUNTERWARP_SLOW" not in os.environ, reason="two CPU minutes: set COUNTERWARP_SLOW=1")


def turned(volume: Volume, degrees: float, axis: str) -> tuple[Volume, np.ndarray]:
    """The volume after a turn about its middle, on a grid that holds it, and the turn (4 x 4)."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    middle = volume.affine[:3, :3] @ ((np.array(volume.shape) - 1) / 2) + volume.affine[:3, 3]
    turn[:3, 3] = middle - turn[:3, :3] @ middle
    affine = volume.affine.copy()
    affine[:3, 3] -= volume.affine[:3, :3] @ np.full(3, 20)
    shape = tuple(np.array(volume.shape) + 40)
    return Volume(resample(volume.data, turn @ volume.affine, shape, affine), affine), turn


@pytest.fixture(scope="module")
def person() -> tuple[Volume, Volume]:
    """A head, and its brain by the reference."""
    name = "IXI034-HH-1260-T1_ds"
    files = DATA / f"heads_ixi/t1/{name}.nii.gz", DATA / f"heads_ixi/dlmuse/{name}_DLMUSE.nii.gz"
    scan, labels = (as_volume(nib.as_closest_canonical(open_image(path))) for path in files)
    return scan, Volume(largest_solid(labels.data > 0).astype(np.float32), labels.affine)


def test_brains_are_known_from_heads():
    brains = sorted((DATA / "brains").glob("sub-0*/anat/*_T1w.nii.gz"))
    heads = sorted((DATA / "heads_ixi/t1").glob("*.nii.gz"))[:3]
    assert all(has_no_skull(as_volume(open_image(path))) for path in brains) and len(brains) == 9
    assert not any(has_no_skull(as_volume(open_image(path))) for path in heads)


@SLOW
def test_a_head_is_stripped_and_registered_alike_however_it_lies(person):
    head, head_mask = (as_volume(open_image(path)) for path in head_files("robex", {}, []))
    template = mni152(2.0)
    target = Volume(template.brain, template.affine)
    places = np.argwhere(template.mask)[::50] @ template.affine[:3, :3].T + template.affine[:3, 3]
    places = np.c_[places, np.ones(len(places))]
    lowest = int(np.argwhere(person[1].data > 0.5)[:, 2].min())
    without_neck = [cut(volume, (slice(0, None), slice(0, None), slice(lowest - 2, None))) for volume in person]
    upright = None
    for volumes, degrees, axis in (
        (person, 0, "x"),
        (person, 40, "x"),
        (person, -40, "x"),
        (person, 45, "y"),
        (person, 45, "z"),
        (without_neck, 30, "x"),
    ):
        (lying, turn), (true, _) = (turned(volume, degrees, axis) for volume in volumes)
        found, _ = by_network(lying, head, head_mask, seed=1)
        agreement = dice(found, true.data > 0.5)
        matrix, _ = estimate(target, Volume(lying.data * found, lying.affine), STAGES[12], 1)
        check_plausible(np.linalg.inv(matrix), "head")
        straight = np.linalg.inv(turn) @ matrix
        upright = straight if upright is None else upright
        error_mm = np.linalg.norm((places @ (straight - upright).T)[:, :3], axis=1).mean()
        print(f"{degrees} degrees about {axis}: Dice {agreement:.3f}, {error_mm:.2f} mm from the upright head")
        assert agreement > 0.96
        assert error_mm < 1
