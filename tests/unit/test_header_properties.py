"""Whatever a header says, a place of the head stays where it is: scan, conformed, network's grid, and back."""

import tempfile

import nibabel as nib
import numpy as np
from counterwarp.imaging.conform import conform_volume
from counterwarp.imaging.resample import resample, shear
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

SHAPE, WIDTH_MM, GRID = (26, 24, 28), 9.0, (34, 34, 34)
PLACES = st.tuples(*[st.floats(-6, 6)] * 3)


@st.composite
def headers(draw):
    """voxel -> world of any orientation, voxel size and handedness, sheared or not; and which forms hold it."""
    turn = Rotation.from_rotvec(draw(st.tuples(*[st.floats(-2, 2)] * 3))).as_matrix()
    edges = np.array(draw(st.tuples(*[st.floats(3.0, 4.5)] * 3)))
    flips = np.array(draw(st.tuples(*[st.sampled_from([-1, 1])] * 3)))
    order = draw(st.permutations(range(3)))
    slant = np.eye(3)
    slant[0, 1] = draw(st.sampled_from([0.0, 0.0, 0.2]))
    affine = np.eye(4)
    affine[:3, :3] = (turn @ slant * edges * flips)[:, order]
    affine[:3, 3] = draw(st.tuples(*[st.floats(-200, 200)] * 3))
    # A quaternion knows no shear.
    codes = (0, 1) if slant[0, 1] else draw(st.sampled_from([(1, 0), (0, 1), (1, 1), (2, 3)]))
    return affine, codes


def bump(shape, affine, centre):
    """(x, y, z), a Gaussian about a point of the world."""
    points = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) @ affine[:3, :3].T + affine[:3, 3]
    return np.exp(-((points - centre) ** 2).sum(-1) / 2 / WIDTH_MM**2).astype(np.float32)


def centroid(data, affine):
    """Where in the world an image's signal lies on average."""
    voxels = np.stack(np.meshgrid(*map(np.arange, data.shape), indexing="ij"), -1)
    return affine[:3, :3] @ np.average(voxels.reshape(-1, 3), axis=0, weights=data.reshape(-1)) + affine[:3, 3]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(header=headers(), place=PLACES)
def test_a_place_comes_back_to_a_tenth_of_a_voxel(header, place):
    affine, (q_code, s_code) = header
    centre = affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2) + affine[:3, 3] + place
    image = nib.Nifti1Image(bump(SHAPE, affine, centre), affine)
    image.set_sform(affine, s_code)
    image.set_qform(affine if q_code else None, q_code)
    with tempfile.TemporaryDirectory() as folder:
        nib.save(image, f"{folder}/scan.nii")
        volume, warnings = conform_volume(f"{folder}/scan.nii", 10)
    assert shear(volume.affine) < 1e-3 and len(warnings) == (shear(affine) > 1e-3)
    assert (nib.io_orientation(volume.affine) == [[0, 1], [1, 1], [2, 1]]).all()
    grid = np.diag([5.0, 5.0, 5.0, 1.0])
    grid[:3, 3] = centre - place - 2.5 * (np.array(GRID) - 1)
    found = centroid(resample(volume.data, volume.affine, GRID, grid), grid)
    back, was = (np.linalg.solve(affine[:3, :3], point - affine[:3, 3]) for point in (found, centre))
    assert np.abs(back - was).max() < 0.1
