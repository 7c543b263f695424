"""The simulated truth, checked against the simulated anatomy itself."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from counterwarp.cohorts import phantom
from counterwarp.cohorts.deform import exponential, log_determinant
from counterwarp.cohorts.demo import ScanSettings, write_phantom, write_scan
from counterwarp.cohorts.participants import draw_participants
from counterwarp.cohorts.phantom import HEAD
from counterwarp.cohorts.simulate import COARSE, Anatomy, disease, draw_anatomy, draw_scanner, simulate, true_change
from counterwarp.imaging.parcellation import REGIONS as MEASURED

REGIONS = {"lateral_ventricle": 0.4, "hippocampus": -0.2, "medial_temporal_cortex": -0.2}


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return draw_anatomy(np.random.default_rng(5), phantom.head().brain, 3.0, "F")


def test_regions_are_named_large_enough_and_mirror_images():
    labels, table = phantom.draw(MEASURED)
    assert len(table) >= 10 and len({row["name"] for row in table}) == len(table)
    millilitres = np.bincount(labels.ravel())[1:] * HEAD.voxel_mm**3 / 1000
    assert millilitres.min() > 4
    left, right = millilitres[0::2], millilitres[1::2]
    np.testing.assert_allclose(left, right, rtol=0.05)


def test_what_the_disease_can_change_is_among_what_is_measured():
    structures, measured = phantom.draw(phantom.STRUCTURES), phantom.draw(MEASURED)
    assert measured[1][:6] == structures[1]
    np.testing.assert_array_equal(np.where(measured[0] <= 6, measured[0], 0), structures[0])


def test_disease_changes_the_affected_regions_with_the_right_sign_and_leaves_the_others():
    velocity = phantom.disease_velocity(REGIONS)
    change = -log_determinant(HEAD, exponential(HEAD, velocity))
    labels, table = phantom.draw(MEASURED)
    for row in table:
        mean = change[labels == row["index"]].mean()
        wanted = REGIONS.get(row["structure"], 0)
        if wanted:
            assert mean == pytest.approx(wanted, rel=0.2), row["name"]
        else:
            assert abs(mean) < 0.01, row["name"]


def test_unknown_structure_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'amygdala'.*hippocampus"):
        phantom.disease_velocity({"amygdala": -1.0})


def test_truth_without_anatomy_is_the_disease_itself():
    still = np.zeros((3, *COARSE.shape), np.float32)
    velocity = phantom.disease_velocity(REGIONS)
    points = COARSE.points()
    moved, change = disease(Anatomy(still, still, 1.0), velocity, 1.2, points)
    expected = exponential(HEAD, 1.2 * velocity)
    # Two ways to the same flow: scaling and squaring of the grid's map, and Runge-Kutta at the points.
    np.testing.assert_allclose(moved, HEAD.move(expected, points), atol=0.05)
    np.testing.assert_allclose(change, HEAD.sample(-log_determinant(HEAD, expected), points), atol=0.05)
    assert np.abs(change).max() > 0.3


def test_truth_agrees_with_the_derivative_of_the_composed_map(anatomy):
    """P = A^-1 o exp(su) o A differentiated numerically, at the places where the disease acts most."""
    velocity = phantom.disease_velocity(REGIONS)
    points = COARSE.points()
    standard = COARSE.move(anatomy.forward, points)
    _, change = disease(anatomy, velocity, 1.0, standard)
    flow = exponential(HEAD, velocity)
    strongest = np.argsort(np.abs(change).ravel())[-40:]
    places = points.reshape(3, -1)[:, strongest]
    step = 1.0
    columns = []
    for axis in np.eye(3)[:, :, None] * step:
        ends = [
            COARSE.move(anatomy.inverse, HEAD.move(flow, COARSE.move(anatomy.forward, places + sign * axis)))
            for sign in (1, -1)
        ]
        columns.append((ends[0] - ends[1]) / (2 * step))
    numeric = -np.log(np.linalg.det(np.stack(columns, 1).transpose(2, 0, 1)))
    assert np.corrcoef(numeric, change.ravel()[strongest])[0, 1] > 0.97
    np.testing.assert_allclose(numeric.mean(), change.ravel()[strongest].mean(), atol=0.08)


def test_injecting_and_removing_are_opposite_to_first_order(anatomy):
    velocity = phantom.disease_velocity(REGIONS)
    points = COARSE.points()
    standard = COARSE.move(anatomy.forward, points)
    _, suffered = disease(anatomy, velocity, 0.05, standard)
    _, would_suffer = disease(anatomy, velocity, -0.05, standard)
    assert np.corrcoef(suffered.ravel(), would_suffer.ravel())[0, 1] > 0.98


def test_scanners_give_different_headers_that_cover_the_head():
    scanners = [draw_scanner(np.random.default_rng(seed), 1.0, 4.0) for seed in range(6)]
    assert len({tuple(np.abs(s.affine[:3, :3]).argmax(0)) for s in scanners}) > 1
    for scanner in scanners:
        edges = np.linalg.norm(scanner.affine[:3, :3], axis=0)
        assert (edges > 3.5).all() and (edges < 4.5).all()
        to_voxel = np.linalg.inv(scanner.pose @ scanner.affine)
        brain = np.argwhere(phantom.head().brain[::4, ::4, ::4]) * 8 + np.array(HEAD.origin_mm)
        voxels = brain @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        assert (voxels > 0).all() and (voxels < np.array(scanner.shape) - 1).all()


def test_a_scan_is_the_same_twice_and_another_session_differs(tmp_path):
    settings = {
        "seed": 1,
        "subject": "003",
        "session": "01",
        "age": 70.0,
        "sex": "F",
        "anatomy": 3,
        "severity": 1.0,
        "mean_severity": 1.0,
        "age_effect": 0.1,
        "voxel_mm": 8.0,
        "anatomy_mm": 3.0,
        "noise": 0.02,
    }
    write_phantom(REGIONS, tmp_path / "phantom.npz")

    def image(name, **changed):
        paths = [str(tmp_path / f"{name}_{kind}") for kind in ("T1w.nii.gz", "truth.nii.gz", "mask.nii.gz", "t.json")]
        write_scan(ScanSettings(**settings | changed), tmp_path / "phantom.npz", *paths)
        return [Path(path).read_bytes() for path in paths]

    assert image("once") == image("again")
    assert image("once")[0] != image("later", session="02")[0]
    assert image("once")[0] != image("opposite", anatomy=-3)[0]


def test_the_true_change_is_the_difference_of_two_scans_by_one_scanner_without_noise_and_bias(anatomy):
    head, velocity = phantom.head(), phantom.disease_velocity(REGIONS)
    scanner = replace(draw_scanner(np.random.default_rng(1), anatomy.size, 6.0), bias=np.zeros((3, 3, 3)))

    def scanned(severity, ageing):
        return simulate(head.signal, head.brain, velocity, anatomy, scanner, severity, ageing, 1.0, noise=0.0).image

    def change(earlier, later):
        return true_change(head.signal, velocity, anatomy, scanner, earlier, later)

    difference = scanned(0.5, 0.1) - scanned(1.2, 0.2)
    # A scan takes disease and ageing one after the other, which are interpolated twice.
    np.testing.assert_allclose(change(0.6, 1.4), difference, atol=15)
    assert np.abs(difference).max() > 150
    assert np.array_equal(change(0.6, 0.6), np.zeros(scanner.shape))
    np.testing.assert_allclose(change(1.4, 0.6), -change(0.6, 1.4))


def test_opposite_anatomies_are_inverse_and_their_mean_is_the_standard_head():
    brain = phantom.head().brain
    one, other = (draw_anatomy(np.random.default_rng(7), brain, 3.0, "F", opposite) for opposite in (False, True))
    assert np.array_equal(one.forward, other.inverse)
    assert one.size + other.size == pytest.approx(2 * 0.97)
    inside = HEAD.sample(brain.astype(np.float32), COARSE.points()) > 0.5
    length = np.sqrt((one.forward[:, inside] ** 2).sum(0).mean())
    # What does not cancel is of second order.
    left = np.sqrt(((one.forward + other.forward)[:, inside] ** 2).sum(0).mean()) / 2
    assert left < 0.1 * length


def test_the_demo_s_patients_are_matched_to_controls_and_its_groups_hold_opposite_pairs():
    scans = draw_participants(DEMO, 1)
    first = scans.drop_duplicates("subject").set_index("subject")
    controls, patients = (first[first.group == group] for group in ("control", "patient"))
    assert list(controls.anatomy) == [1, -1, 2, -2, 3]
    matched = ["anatomy", "age", "sex"]
    assert patients[matched].to_numpy().tolist() == controls[matched].head(4).to_numpy().tolist()
    assert (scans.groupby("subject").anatomy.nunique() == 1).all()
    assert (controls.severity == 0).all() and (patients.severity > 0).all() and patients.severity.nunique() == 4


def test_second_sessions_are_two_years_later_and_only_patients_progress():
    scans = draw_participants(DEMO, 1).set_index(["subject", "session"])
    change = scans.xs("02", level="session")[["age", "severity"]] - scans.xs("01", level="session")[["age", "severity"]]
    change = change.dropna().round(3)
    assert (change.age == 2.0).all()
    assert change.severity.to_dict() == {"001": 0.0, "002": 0.0, "006": 0.5, "007": 0.5}


DEMO = {"controls": 5, "patients": 4, "two_sessions": 2, "severity": 1.0, "severity_sd": 0.2, "progression": 0.5}
