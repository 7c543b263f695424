"""Whatever a header and a registration say, a place of the head stays where it is: scan, network's grid, and back."""

import tempfile

import nibabel as nib
import numpy as np
from counterwarp.imaging.conform import conform_volume
from counterwarp.imaging.io import Volume, read_sidecar, read_volume, write_image
from counterwarp.imaging.normalise import normalise
from counterwarp.imaging.register import to_grid
from counterwarp.imaging.resample import resample, shear
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

SHAPE, WIDTH_MM = (26, 24, 28), 9.0
TEMPLATE = Volume(
    np.ones((38, 44, 38), bool), np.array([[4.0, 0, 0, -76], [0, 4, 0, -105], [0, 0, 4, -64], [0, 0, 0, 1]])
)
NETWORK_SHAPE, NETWORK_MM = [34, 38, 34], 5.0
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


@st.composite
def poses(draw):
    """Turn and scale of a registration, of another size along each axis of the scanner; and where its centre goes."""
    turn = Rotation.from_rotvec(draw(st.tuples(*[st.floats(-2, 2)] * 3))).as_matrix()
    return turn * np.array(draw(st.tuples(*[st.floats(0.8, 1.25)] * 3))), np.array(draw(PLACES))


def moved(matrix, point):
    """A point by a 4 x 4 matrix."""
    return matrix[:3, :3] @ point + matrix[:3, 3]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(header=headers(), place=PLACES, pose=poses())
def test_a_place_comes_back_to_a_tenth_of_a_voxel(header, place, pose):
    affine, (q_code, s_code) = header
    middle = moved(affine, (np.array(SHAPE) - 1) / 2)
    centre = middle + place
    world = np.eye(4)
    world[:3, :3] = pose[0]
    world[:3, 3] = moved(TEMPLATE.affine, (np.array(TEMPLATE.shape) - 1) / 2) + pose[1] - pose[0] @ middle
    image = nib.Nifti1Image(bump(SHAPE, affine, centre), affine)
    image.set_sform(affine, s_code)
    image.set_qform(affine if q_code else None, q_code)
    with tempfile.TemporaryDirectory() as folder:
        at = lambda *names: [f"{folder}/{name}.nii" for name in names]  # noqa: E731
        nib.save(image, *at("scan"))
        volume, warnings = conform_volume(*at("scan"), 10)
        assert shear(volume.affine) < 1e-3 and len(warnings) == (shear(affine) > 1e-3)
        assert (nib.io_orientation(volume.affine) == [[0, 1], [1, 1], [2, 1]]).all()
        whole = Volume(np.ones(volume.shape, np.float32), volume.affine)
        on_template = to_grid(volume, whole, TEMPLATE, world)
        for data, path in zip((*on_template, TEMPLATE.data), at("image", "mask", "template"), strict=True):
            write_image(data, TEMPLATE.affine, path, "MNI152")
        grid = (NETWORK_SHAPE, NETWORK_MM, 0.0, "z_score", "MNI152")
        normalise(*at("image", "mask", "template", "network"), f"{folder}/network.json", *grid)
        network = read_volume(*at("network"))
        signal = network.data - read_sidecar(f"{folder}/network.json")["Background"]
    found = centroid(signal, network.affine)
    assert np.abs(found - moved(world, centre)).max() < 0.1 * NETWORK_MM
    returned = resample(signal, network.affine, volume.shape, volume.affine, np.linalg.inv(world))
    to_voxel = np.linalg.inv(affine)
    back, was = (moved(to_voxel, point) for point in (centroid(returned, volume.affine), centre))
    assert np.abs(back - was).max() < 0.1
