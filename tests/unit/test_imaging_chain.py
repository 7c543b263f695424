"""The steps that run ANTs, on a simulated head: what is known is recovered, and a second run gives the same bytes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from counterwarp.cohorts.demo import ScanSettings, write_head, write_phantom, write_scan
from counterwarp.imaging.atlas import mni152, write_atlas
from counterwarp.imaging.io import Volume, read_sidecar, read_volume, write_image
from counterwarp.imaging.normalise import normalise
from counterwarp.imaging.qc import dice, landmark_error, measure, same_order
from counterwarp.imaging.refine import correlation
from counterwarp.imaging.segment import TISSUES, carried_priors, segment
from counterwarp.imaging.warp import Field, carry, read_field
from scipy.ndimage import binary_dilation, binary_erosion

CODE = Path(__file__).parents[2] / "workflow_scripts"
REGIONS = {"lateral_ventricle": 0.9, "hippocampus": -0.45}
TEMPLATES = {"brain": "brain_T1w", "brain_mask": "brain_mask"} | {t: t for t in TISSUES}
# A process of its own, as in the workflow: nothing that another test has started can help or harm.
CHAIN = """
import sys
from counterwarp.imaging.bias import correct_bias
from counterwarp.imaging.conform import conform
from counterwarp.imaging.register import register
from counterwarp.imaging.refine import correlation
from counterwarp.imaging.segment import segment
from counterwarp.imaging.strip import strip
from counterwarp.imaging.warp import register_nonlinear

source, to = sys.argv[1] + "/", sys.argv[2] + "/"
at = lambda *names: [to + name for name in names]
conform(source + "scan.nii.gz", *at("conform.nii.gz", "conform.json"), 100)
correct_bias(to + "conform.nii.gz", to + "n4.nii.gz", True)
strip(
    *at("n4.nii.gz", "mask.nii.gz", "mask.json"), "template", 1, 0.5,
    source + "head_T1w.nii.gz", source + "head_mask.nii.gz",
)
register(
    *at("n4.nii.gz", "mask.nii.gz"), source + "brain_T1w.nii.gz",
    {"conform": to + "conform.json", "strip": to + "mask.json"},
    {
        "transform": to + "x.mat", "transform_sidecar": to + "x.json",
        "world": to + "world.txt", "flirt": to + "flirt.mat",
        "image": to + "preproc.nii.gz", "image_sidecar": to + "preproc.json",
        "mask": to + "moved.nii.gz", "mask_sidecar": to + "moved.json",
    },
    "ants", 12, 1, "MNI152",
)
register_nonlinear(
    to + "preproc.nii.gz", source + "brain_T1w.nii.gz",
    *at("warp.nii.gz", "inverse.nii.gz", "warp.json", "inverse.json"), "quick", 1, "MNI152",
)
priors, found = ({t: folder + t + ".nii.gz" for t in ("CSF", "GM", "WM")} for folder in (source, to))
segment(*at("preproc.nii.gz", "moved.nii.gz"), found, to + "probseg.json", "MNI152", to + "inverse.nii.gz", priors)
"""


def run_chain(source: Path, to: Path) -> None:
    to.mkdir()
    command = [sys.executable, "-c", CHAIN, source.name, to.name]
    done = subprocess.run(
        command, cwd=source.parent, env={"PYTHONPATH": str(CODE), "PATH": ""}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("head") / "source"
    folder.mkdir()
    write_phantom(REGIONS, str(folder / "phantom.npz"))
    write_head(str(folder / "head_T1w.nii.gz"), str(folder / "head_mask.nii.gz"))
    outputs = {output: str(folder / f"{name}.nii.gz") for output, name in TEMPLATES.items()}
    write_atlas(mni152(4.0), "MNI152", outputs)
    settings = ScanSettings(5, "001", "1", 70.0, "F", 1, 0.0, 1.0, 0.1, 4.0, 3.0, 0.02)
    files = [str(folder / name) for name in ("scan.nii.gz", "logjacobian.nii.gz", "true_mask.nii.gz", "truth.json")]
    write_scan(settings, str(folder / "phantom.npz"), *files)
    return folder


@pytest.fixture(scope="module")
def done(source) -> Path:
    run_chain(source, source.parent / "first")
    return source.parent / "first"


def test_a_second_run_gives_the_same_bytes(source, done):
    run_chain(source, source.parent / "second")
    names = sorted(path.name for path in done.iterdir())
    assert len(names) == 21
    for name in names:
        first, second = ((source.parent / run / name).read_bytes() for run in ("first", "second"))
        assert first.replace(b"first/", b"") == second.replace(b"second/", b""), name


def test_the_brain_is_found(source, done):
    true, found = read_volume(source / "true_mask.nii.gz"), read_volume(done / "mask.nii.gz")
    assert dice(found.data > 0.5, same_order(true.data, true.affine) > 0.5) > 0.95
    assert read_sidecar(done / "mask.json")["VolumeInLitres"] == pytest.approx(
        found.data.sum() * abs(np.linalg.det(found.affine[:3, :3])) * 1e-6, abs=1e-4
    )


def test_the_known_pose_is_recovered_within_a_voxel(source, done):
    pose = np.array(json.loads((source / "truth.json").read_text())["pose"])
    estimated = np.array(read_sidecar(done / "x.json")["WorldMatrix"])
    brain = read_volume(source / "brain_mask.nii.gz")
    landmarks = np.argwhere(brain.data > 0.5) @ brain.affine[:3, :3].T + brain.affine[:3, 3]
    assert landmark_error(np.eye(4), pose, landmarks) > 4  # it had a pose to find
    assert landmark_error(estimated, pose, landmarks) < 4


def test_the_bias_field_is_taken_off(source, done):
    """White matter of a truly uniform tissue varies less after the correction."""
    raw, corrected = read_volume(done / "conform.nii.gz"), read_volume(done / "n4.nii.gz")
    true = read_volume(source / "true_mask.nii.gz")
    brain = same_order(true.data, true.affine) > 0.5
    bright = corrected.data > np.quantile(corrected.data[brain], 0.7)
    spread = [volume.data[brain & bright].std() / volume.data[brain & bright].mean() for volume in (raw, corrected)]
    assert spread[1] < 0.7 * spread[0]


def test_syn_brings_the_brain_closer_to_the_template_and_the_template_closer_to_the_brain(source, done):
    brain, template = read_volume(done / "preproc.nii.gz"), read_volume(source / "brain_T1w.nii.gz")
    mask = read_volume(source / "brain_mask.nii.gz").data > 0.5
    before = correlation(brain.data, template.data, mask)
    there = carry(brain.data, brain.affine, read_field(done / "warp.nii.gz"))
    back = carry(template.data, template.affine, read_field(done / "inverse.nii.gz"))
    assert correlation(there, template.data, mask) > before + 0.02
    assert correlation(back, brain.data, mask) > before + 0.02
    assert np.abs(read_field(done / "warp.nii.gz").displacement).max() < 30


def test_the_tissues_share_each_voxel_of_the_brain(source, done):
    shares = {name: read_volume(done / f"{name}.nii.gz").data for name in TISSUES}
    brain, mask = read_volume(done / "preproc.nii.gz").data, read_volume(done / "moved.nii.gz").data > 0.5
    total = sum(shares.values())
    np.testing.assert_allclose(total[mask], 1, atol=1e-5)
    assert not total[~mask].any()
    means = [(brain * share).sum() / share.sum() for share in shares.values()]
    assert means == sorted(means)


def test_kmeans_finds_much_the_same_tissues_by_the_signal_alone(done, tmp_path):
    """Not the same volumes: in a scan of 4 mm it takes bright cortex, of which a part is white matter, for that."""
    outputs = {tissue: str(tmp_path / f"{tissue}.nii.gz") for tissue in TISSUES}
    image = str(done / "preproc.nii.gz")
    segment(image, str(done / "moved.nii.gz"), outputs, str(tmp_path / "probseg.json"), "MNI152")
    brain, shares = read_volume(image).data, [read_volume(path).data for path in outputs.values()]
    means = [(brain * share).sum() / share.sum() for share in shares]
    assert means == sorted(means)
    for tissue, share in zip(TISSUES, shares, strict=True):
        by_priors = read_volume(done / f"{tissue}.nii.gz").data
        assert 2 * np.minimum(share, by_priors).sum() / (share.sum() + by_priors.sum()) > 0.75


def test_the_tissues_of_the_template_are_where_its_signal_says(source):
    template = read_volume(source / "brain_T1w.nii.gz").data
    shares = [read_volume(source / f"{name}.nii.gz").data for name in TISSUES]
    np.testing.assert_allclose(sum(shares)[read_volume(source / "brain_mask.nii.gz").data > 0.5], 1, atol=0.05)
    means = [(template * share).sum() / share.sum() for share in shares]
    assert means == sorted(means)


def test_carried_priors_follow_the_field_and_none_is_zero():
    grid = np.eye(4)
    half = np.zeros((3, 8, 8, 8), np.float32)
    half[0, :4] = half[1, 4:] = 1
    field = Field(np.zeros((8, 8, 8, 3), np.float32), grid)
    priors = carried_priors([Volume(share, grid) for share in half], field)
    np.testing.assert_allclose(priors.sum(0), 1, rtol=1e-6)
    np.testing.assert_allclose(priors[:, 2, 4, 4], np.array([1.01, 0.01, 0.01]) / 1.03, rtol=1e-6)
    np.testing.assert_allclose(priors[:, 6, 4, 4], np.array([0.01, 1.01, 0.01]) / 1.03, rtol=1e-6)


def test_the_preprocessed_scan_fits_the_network_and_its_quality_is_measured(source, done, tmp_path):
    outputs = [str(tmp_path / name) for name in ("n.nii.gz", "n.json")]
    paths = [done / "preproc.nii.gz", done / "moved.nii.gz", source / "brain_mask.nii.gz"]
    normalise(*map(str, paths), *outputs, [32, 40, 32], 5.0, 0.0, "z_score", "MNI152")
    assert np.isfinite(read_volume(outputs[0]).data).all()
    files = [done / "n4.nii.gz", done / "mask.nii.gz", done / "x.json"]
    files += [source / "brain_T1w.nii.gz", source / "brain_mask.nii.gz", done / "conform.json"]
    numbers = measure(*map(str, files))
    assert numbers["mask_dice"] is None
    # In another template's space the true mask still holds, the true pose does not.
    numbers = measure(*map(str, files), str(source / "true_mask.nii.gz"))
    assert numbers["mask_dice"] > 0.95 and numbers["landmark_error_mm"] is None
    numbers = measure(*map(str, files), str(source / "true_mask.nii.gz"), str(source / "truth.json"))
    assert numbers["mask_dice"] > 0.95
    assert numbers["landmark_error_voxels"] < 1
    assert numbers["flags"] == numbers["warnings"] == [] and numbers["grade"] == "good"


def test_a_brain_that_the_field_of_view_cuts_off_is_flagged(source, done, tmp_path):
    """The upper tenth of the brain is not in the scan."""
    mask = read_volume(done / "mask.nii.gz")
    low, high = np.flatnonzero((mask.data > 0.5).any((0, 1)))[[0, -1]]
    cut = str(tmp_path / "cut.nii.gz")
    write_image(mask.data[:, :, : high - (high - low) // 10] > 0.5, mask.affine, cut, "scanner")
    scan = read_volume(done / "n4.nii.gz")
    write_image(scan.data[:, :, : high - (high - low) // 10], scan.affine, tmp_path / "scan.nii.gz", "scanner")
    files = [done / "x.json", source / "brain_T1w.nii.gz", source / "brain_mask.nii.gz", done / "conform.json"]
    numbers = measure(str(tmp_path / "scan.nii.gz"), cut, *map(str, files))
    assert any(flag.endswith("% of the brain mask touches the border: brain cut off?") for flag in numbers["flags"])
    assert numbers["grade"] != "good"


FAULTS = {
    "small": "mask too small",
    "large": "mask too large?",
    "hole": "brain left out?",
    "more": "more than the brain?",
    "moved": "misregistered?",
    "scaled": "Dice with the template's brain",
    "upside down": "template correlation",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_simulated_head_s_mask_or_map_is_flagged(source, done, tmp_path, fault):
    """Its own mask and map are not: the test of the quality of the preprocessed scan."""
    mask = read_volume(done / "mask.nii.gz")
    inside = mask.data > 0.5
    world = np.array(read_sidecar(done / "x.json")["WorldMatrix"])
    place = np.argwhere(np.ones_like(inside)).reshape(*inside.shape, 3) * mask.voxel_mm
    front = place[inside][np.argmax(place[inside][:, 1])]
    far = np.linalg.norm(place - front, axis=-1)
    brain = read_volume(source / "brain_mask.nii.gz")
    centre = brain.affine[:3, :3] @ np.argwhere(brain.data > 0.5).mean(0) + brain.affine[:3, 3]
    masks = {
        "small": binary_erosion(inside, iterations=2),
        "large": binary_dilation(inside),
        "hole": inside & (far > 60),
        "more": inside | (far < 45),
    }
    maps = {"moved": np.eye(3), "scaled": 0.8 * np.eye(3), "upside down": np.diag([1.0, -1, -1])}
    off = np.eye(4)
    if fault in maps:
        off[:3, :3] = maps[fault]
        off[:3, 3] = centre - off[:3, :3] @ centre + (6.0 if fault == "moved" else 0.0)
    write_image(masks.get(fault, inside), mask.affine, tmp_path / "mask.nii.gz", "scanner")
    (tmp_path / "x.json").write_text(json.dumps({"WorldMatrix": (off @ world).tolist()}))
    files = [done / "n4.nii.gz", tmp_path / "mask.nii.gz", tmp_path / "x.json", source / "brain_T1w.nii.gz"]
    numbers = measure(*map(str, [*files, source / "brain_mask.nii.gz", done / "conform.json"]))
    assert any(FAULTS[fault] in flag for flag in numbers["flags"]), numbers
    assert numbers["grade"] != "good"
