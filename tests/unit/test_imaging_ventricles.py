import numpy as np
from counterwarp.imaging.ventricles import connected_fluid

EDGES = np.array([2.0, 2, 2])


def test_fluid_is_followed_beyond_what_is_carried_and_not_into_the_sulci():
    inside = np.ones((30, 30, 30), bool)
    inside[0] = inside[-1] = False
    fluid = np.zeros(inside.shape, np.float32)
    fluid[8:13, 8:20, 10:20] = 1  # one ventricle: 600 voxels
    fluid[17:22, 8:20, 10:20] = 1  # the other
    fluid[8:13, 20, 10:20] = 0.3  # its edge: 50 voxels, a third of each fluid
    fluid[1:3] = 1  # a sulcus at the surface
    carried = [np.zeros_like(fluid), np.zeros_like(fluid)]
    carried[0][9:11, 10:12, 12:14] = 1
    carried[1][18:20, 10:12, 12:14] = 0.8
    left, right = connected_fluid(fluid, carried, np.zeros(inside.shape, bool), inside, EDGES)
    np.testing.assert_allclose(left.sum(), 600 + 50 * 0.3, rtol=1e-6)
    assert right.sum() == 600
    assert left[1:3].sum() == 0


def test_other_fluid_keeps_what_is_nearer_to_it():
    inside = np.ones((40, 40, 60), bool)
    fluid = np.zeros(inside.shape, np.float32)
    fluid[20, 20, 10:51] = 1  # one canal
    carried = np.zeros_like(fluid)
    carried[20, 20, 10] = 1
    other = np.zeros(inside.shape, bool)
    other[20, 20, 50] = True
    (found,) = connected_fluid(fluid, [carried], other, inside, EDGES)
    assert 20 <= found.sum() <= 21  # voxels 10 to 29, and perhaps the middle one


def test_where_nothing_is_carried_there_is_no_ventricle():
    inside = np.ones((10, 10, 10), bool)
    (found,) = connected_fluid(np.ones((10, 10, 10)), [np.zeros((10, 10, 10))], ~inside, inside, EDGES)
    assert found.sum() == 0
