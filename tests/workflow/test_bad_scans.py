"""One cohort of bad scans in one run: each that cannot be used fails alone, each that is odd is used and says so."""

import gzip
import re

import nibabel as nib
import numpy as np
import pytest
import yaml
from conftest import Workflow
from counterwarp.imaging.io import read_sidecar, read_volume
from counterwarp.workflow import read_failure

SHAPE = (33, 40, 36)
AFFINE = np.diag([6.0, 6.0, 6.0, 1.0])
AFFINE[:3, 3] = -100


def head(shape=SHAPE, dtype=np.float32):
    """A bright ball in the dark, and a mark on its right."""
    x = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    ball = 1000.0 * (np.linalg.norm(x, axis=0) < 0.8)
    ball[26:30, 18:22, 16:20] *= 1.5
    return ball.astype(dtype)


def save(path, data=None, affine=AFFINE, q_code=1, s_code=1, qform=None, unit="mm", slope=None):
    image = nib.Nifti1Image(head() if data is None else data, affine)
    if q_code or s_code:
        image.set_qform(affine if qform is None else qform, q_code)
        image.set_sform(affine, s_code)
    else:
        image.set_sform(None, 0)
        image.set_qform(None, 0)
    image.header.set_xyzt_units(unit)
    nib.save(image, path)
    if slope is not None:
        patch(path, 112, np.float32(slope).tobytes())


def patch(path, offset, content):
    """Other bytes at a place of the header."""
    plain = bytearray(gzip.decompress(path.read_bytes()))
    plain[offset : offset + len(content)] = content
    path.write_bytes(gzip.compress(bytes(plain), 1))


def with_voxel(value):
    data = head()
    data[3, 4, 5] = value
    return data


def scaled(*edges):
    affine = np.diag([*edges, 1.0])
    affine[:3, 3] = -100 * np.array(edges) / 6
    return affine


def sheared():
    affine = AFFINE.copy()
    affine[0, 1] = 1.2
    return affine


def bad_header(path, offset, content):
    save(path)
    patch(path, offset, content)


def half(path):
    save(path, np.random.default_rng(0).normal(500, 50, SHAPE).astype(np.float32))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def colours():
    rgb = np.zeros(SHAPE, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    rgb["R"] = head() > 0
    return rgb


# What is written for a subject, and what its failure says.
REFUSED = {
    "truncated": (half, "truncated or damaged"),
    "empty": (lambda p: p.touch(), "not a readable image"),
    "text": (lambda p: p.write_text("Not a scan.\n" * 99), "not a readable image"),
    "gzippedtext": (lambda p: p.write_bytes(gzip.compress(b"Not a scan.\n" * 99)), "not a readable image"),
    "notgzip": (lambda p: (save(p), p.write_bytes(gzip.decompress(p.read_bytes()))), "not a readable image"),
    "nan": (lambda p: save(p, with_voxel(np.nan)), "1 voxels are not finite (nan at (3, 4, 5)); repair or exclude"),
    "inf": (lambda p: save(p, with_voxel(-np.inf)), "1 voxels are not finite (-inf at (3, 4, 5))"),
    "zero": (lambda p: save(p, 0 * head()), "every voxel is 0; replace this empty image"),
    "constant": (lambda p: save(p, 0 * head() + 7), "every voxel is 7; replace this empty image"),
    "fourd": (lambda p: save(p, np.stack([head(), head()], -1)), "4-D image of shape (33, 40, 36, 2); give one volume"),
    "twod": (lambda p: save(p, head()[..., 18]), "2-D image of shape (33, 40); give a three-dimensional scan"),
    "slice": (lambda p: save(p, head()[..., 18:19]), "3-D image of shape (33, 40, 1); give a three-dimensional scan"),
    "rgb": (lambda p: save(p, colours()), "convert the image to one number per voxel"),
    "complex": (lambda p: save(p, head(dtype=np.complex64)), "voxels are of type complex64; convert the image"),
    "zerovoxel": (
        lambda p: (save(p, s_code=0), patch(p, 80, np.zeros(3, np.float32).tobytes())),
        "the header gives a voxel size of 0 x 0 x 0; correct it or exclude the scan",
    ),
    "singular": (lambda p: (save(p), patch(p, 280, bytes(48))), "the header gives no usable position"),
    "nansform": (lambda p: bad_header(p, 280, np.float32(np.nan).tobytes()), "the header gives no usable position"),
    "overflow": (lambda p: save(p, head(dtype=np.int16), slope=3e38), "voxels are not finite (inf at"),
    "metres": (
        lambda p: save(p, affine=scaled(0.006, 0.006, 0.006), unit="meter"),
        "field of view 0.2 mm right-left, below preprocess.minimum_field_of_view_mm = 100; the header gives it in",
    ),
    "microns": (
        lambda p: save(p, affine=scaled(6000, 6000, 6000), unit="micron"),
        "field of view 240000 mm posterior-anterior, above 1000 mm; the header gives it in micron, not mm; correct",
    ),
    "slab": (lambda p: save(p, head()[:, :, 10:20]), "field of view 60.0 mm inferior-superior, below"),
    "dimension": (
        lambda p: bad_header(p, 40, np.int16([3, -5]).tobytes()),
        "truncated or damaged (negative count); copy it again",
    ),
    "larger": (lambda p: bad_header(p, 42, np.int16([33, 40, 300]).tobytes()), "truncated or damaged"),
    "datatype": (lambda p: bad_header(p, 70, np.int16(9999).tobytes()), "not a readable image"),
}
MIRRORED = AFFINE @ np.diag([-1, 1, 1, 1.0])
SHIFTED = AFFINE + np.array([[0, 0, 0, 7.0], *[[0.0] * 4] * 3])
# What is written for a subject, and what is said of it (nothing: an empty text) when it is used.
USED = {
    "001": (save, ""),
    "002": (lambda p: save(p, head()[::-1], AFFINE @ np.diag([-1, 1, 1, 1.0]) + offset()), ""),
    "noform": (lambda p: save(p, q_code=0, s_code=0), "neither qform nor sform: the axes are a guess; check left"),
    "nohand": (
        lambda p: (save(p, s_code=0), patch(p, 76, bytes(4))),
        "a qform alone, with 0 in pixdim[0] for its handedness: 1 was taken; check left and right",
    ),
    "contradictory": (lambda p: save(p, qform=SHIFTED), "qform and sform disagree by up to 7.0 mm: the sform was used"),
    "mirrored": (lambda p: save(p, qform=MIRRORED), "mirror images of each other: the sform was used; check left and"),
    "sheared": (lambda p: save(p, affine=sheared(), q_code=0), "not at right angles (sheared header)"),
    "inverted": (lambda p: save(p, 1500 - head()), "brighter than the rest (mean"),
    "ringing": (lambda p: save(p, with_voxel(-20)), "negative values down to -20 were set to 0"),
    "hounsfield": (lambda p: save(p, head() - 1000), "negative values down to -1000: 1000 was added to every voxel"),
    "inmicrons": (lambda p: save(p, unit="micron"), "gives the voxel size in micron: it was taken as mm"),
    "length": (lambda p: bad_header(p, 0, b"\xff\xff\xff\x7f"), ""),
    "oneframe": (lambda p: save(p, head()[..., None]), ""),
    "integers": (lambda p: save(p, head(dtype=np.int16), slope=0.5), ""),
    "unsigned": (lambda p: save(p, (head() / 8).astype(np.uint8)), ""),
}


def offset():
    """The first voxel of a flipped image is where the last one was."""
    move = np.zeros((4, 4))
    move[0, 3] = 6.0 * (SHAPE[0] - 1)
    return move


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The workflow up to the conformed scans, in a folder whose name is not plain, and what it printed."""
    workflow = Workflow(tmp_path_factory.mktemp("bad"))
    folder = workflow.folder / "Étude (1) α $HOME; été"
    subjects = [*REFUSED, *USED]
    for subject, (write, _) in (REFUSED | USED).items():
        image = folder / f"sub-{subject}/anat/sub-{subject}_T1w.nii.gz"
        image.parent.mkdir(parents=True)
        write(image)
    dangling = folder / "sub-dangling/anat/sub-dangling_T1w.nii.gz"
    dangling.parent.mkdir(parents=True)
    dangling.symlink_to(dangling.name)
    lines = [f"sub-{subject}\t{('control', 'patient')[i % 2]}\t70\tF" for i, subject in enumerate(subjects)]
    lines += ["sub-dangling\tcontrol\t70\tF", "sub-<b>\tcontrol\t70\tF"]
    (folder / "participants.tsv").write_text("\n".join(["participant_id\tgroup\tage\tsex", *lines]) + "\n")
    overlay = workflow.folder / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"cohort": {"source": "bids", "path": str(folder)}}))
    targets = [conformed(workflow, subject).relative_to(workflow.folder) for subject in subjects]
    text = workflow.run("--keep-going", "--notemp", "--", *targets, configfiles=[overlay])
    return workflow, text


def conformed(workflow, subject):
    return workflow.results / f"intermediate/sub-{subject}/sub-{subject}_desc-conform_T1w.nii.gz"


def test_the_run_ends_well_and_leaves_nothing_half_written(run):
    workflow, text = run
    assert workflow.returncode == 0 and "Traceback" not in text
    assert not [path for path in workflow.folder.rglob("*unfinished*")]
    assert len(REFUSED) + len(USED) >= 36


@pytest.mark.parametrize("subject", REFUSED)
def test_a_scan_that_cannot_be_used_fails_alone_with_its_reason(run, subject):
    workflow, _ = run
    for path in (conformed(workflow, subject), conformed(workflow, subject).with_suffix("").with_suffix(".json")):
        record = read_failure(path)
        assert (record["scan"], record["rule"]) == (f"sub-{subject}", "prepare_scan")
        assert REFUSED[subject][1] in record["reason"]
        # The file, and no traceback, which would be a fault of ours.
        assert f"sub-{subject}_T1w.nii.gz: " in record["reason"] and "traceback" not in record["reason"]
        assert record["rerun"].startswith("--forcerun prepare_scan -- ")
    log = (workflow.results / f"logs/sub-{subject}/sub-{subject}_prepare_scan.log").read_text()
    assert REFUSED[subject][1] in " ".join(log.split())


@pytest.mark.parametrize("subject", USED)
def test_an_odd_scan_is_used_and_says_what_was_changed_or_doubted(run, subject):
    workflow, _ = run
    assert read_failure(conformed(workflow, subject)) is None
    warnings = read_sidecar(conformed(workflow, subject).with_suffix("").with_suffix(".json"))["Warnings"]
    said = USED[subject][1]
    assert len(warnings) == bool(said) and said in "".join(warnings)
    volume = read_volume(conformed(workflow, subject))
    assert nib.aff2axcodes(volume.affine) == ("R", "A", "S") and volume.data.min() >= 0


def test_a_left_handed_header_shows_the_same_world(run):
    plain, flipped = (read_volume(conformed(run[0], subject)) for subject in ("001", "002"))
    np.testing.assert_array_equal(plain.data, flipped.data)
    np.testing.assert_allclose(plain.affine, flipped.affine, atol=1e-4)


def test_who_has_no_image_is_listed_and_said(run):
    workflow, text = run
    table = (workflow.results / "cohort/left_out.tsv").read_text()
    assert re.search(r"^sub-dangling\t.*: a link that leads nowhere; fetch the file", table, re.MULTILINE)
    assert "sub-<b>\tin participants.tsv, but without a T1w image\n" in table
    assert "3 subjects, sessions or images are left out: " in text
