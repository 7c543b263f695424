"""The chain on one real head, against ROBEX; only where the project's shared images are at hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from counterwarp.imaging.atlas import sri24, write_atlas
from counterwarp.imaging.bias import correct_bias
from counterwarp.imaging.conform import conform
from counterwarp.imaging.io import read_sidecar, read_volume, write_image
from counterwarp.imaging.qc import dice
from counterwarp.imaging.regions import region_volumes
from counterwarp.imaging.register import register
from counterwarp.imaging.resample import at_least, resample
from counterwarp.imaging.segment import TISSUES, segment
from counterwarp.imaging.sri24 import ORBITOFRONTAL
from counterwarp.imaging.strip import largest_solid, strip
from counterwarp.imaging.warp import register_nonlinear
from counterwarp.resources import places
from scipy.ndimage import binary_closing

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not (DATA / "heads").is_dir(), reason="the shared images are not at hand")


def test_the_brain_of_a_real_head_at_2_mm(tmp_path):
    at = lambda name: str(tmp_path / name)  # noqa: E731
    raw, robex = (read_volume(DATA / "heads" / f"chris_t1{end}.nii.gz") for end in ("", "_robex_mask_seed0"))
    coarse = at_least(raw, 2.0)
    write_image(coarse.data, coarse.affine, at("scan.nii.gz"), "scanner")
    true = resample(robex.data, robex.affine, coarse.shape, coarse.affine) > 0.5
    prior = read_volume(DATA / "mni" / "brainmask.nii")
    solid = largest_solid(binary_closing(prior.data > 0.5, iterations=3))
    write_image(solid, prior.affine, at("head_mask.nii.gz"), "MNI152")
    conform(at("scan.nii.gz"), at("conform.nii.gz"), at("conform.json"), 100)
    assert read_sidecar(at("conform.json"))["Warnings"] == []
    correct_bias(at("conform.nii.gz"), at("n4.nii.gz"), denoise=True)
    strip(at("n4.nii.gz"), str(DATA / "mni/avg152T1.nii"), at("head_mask.nii.gz"), at("mask.nii.gz"), at("m.json"), 1)
    found = read_volume(at("mask.nii.gz"))
    np.testing.assert_allclose(found.affine, coarse.affine, atol=1e-4)
    assert dice(found.data > 0.5, true) >= 0.95
    assert 1.3 < read_sidecar(at("m.json"))["VolumeInLitres"] < 1.8


@pytest.mark.skipif(not (DATA / "sri24").is_dir(), reason="SRI24 is not at hand")
def test_the_orbitofrontal_regions_of_a_real_head_in_sri24(tmp_path):
    """From the centres of mass to grey-matter volumes, with ROBEX's mask; SRI24's own brain has 3.6 to 6.5 ml."""
    at = lambda *names: [str(tmp_path / name) for name in names]  # noqa: E731
    raw, robex = (read_volume(DATA / "heads" / f"chris_t1{end}.nii.gz") for end in ("", "_robex_mask_seed0"))
    coarse = at_least(raw, 2.0)
    brain = resample(robex.data, robex.affine, coarse.shape, coarse.affine) > 0.5
    for data, path in zip((coarse.data, brain), at("scan.nii.gz", "brain.nii.gz"), strict=True):
        write_image(data, coarse.affine, path, "scanner")
    correct_bias(*at("scan.nii.gz", "n4.nii.gz"), denoise=False)
    tissues = {tissue: f"{tmp_path}/{tissue}.nii.gz" for tissue in TISSUES}
    template = dict(zip(("brain", "brain_mask", "labels"), at("t1.nii.gz", "t1m.nii.gz", "labels.nii.gz"), strict=True))
    files = places("sri24", str(DATA / "sri24"))
    write_atlas(sri24(files, 2.0), "SRI24", template | tissues | {"label_table": f"{tmp_path}/t.tsv"})
    outputs = at("x.mat", "x.json", "moved.nii.gz", "moved.json", "mask.nii.gz", "mask.json")
    register(*at("n4.nii.gz", "brain.nii.gz"), template["brain"], *outputs, 1, "SRI24")
    matrix = np.array(read_sidecar(outputs[1])["WorldMatrix"])[:3, :3]
    # No axis turned over, and about the size of SRI24's brain.
    assert (np.diag(matrix) > 0.8).all() and (np.abs(matrix - np.diag(np.diag(matrix))) < 0.4).all()
    moved, inside = read_volume(outputs[4]), read_volume(template["brain_mask"])
    assert dice(moved.data > 0.5, inside.data > 0.5) > 0.9
    fields = at("warp.nii.gz", "inverse.nii.gz", "warp.json", "inverse.json")
    register_nonlinear(outputs[2], template["brain"], *fields, 1, "SRI24")
    found = {tissue: f"{tmp_path}/own_{tissue}.nii.gz" for tissue in TISSUES}
    segment(outputs[2], outputs[4], fields[1], tissues, found, "SRI24")
    scan = {"scan": "chris", "subject": "chris", "inverse": fields[1], "transform": outputs[1], **found}
    region_volumes([scan], template["labels"], f"{tmp_path}/t.tsv", template["brain_mask"], f"{tmp_path}/v.tsv")
    volumes = pd.read_csv(f"{tmp_path}/v.tsv", sep="\t").set_index("region")["volume_ml"]
    for name in ORBITOFRONTAL:
        left, right = volumes[f"{name}_L"], volumes[f"{name}_R"]
        assert volumes[name] == pytest.approx(left + right, abs=0.001)
        assert 2 < volumes[name] < 10 and 0.6 < left / right < 1.6
