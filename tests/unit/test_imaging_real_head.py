"""The chain on one real head, against ROBEX; only where the project's shared images are at hand."""

from pathlib import Path

import numpy as np
import pytest
from counterwarp.imaging.bias import correct_bias
from counterwarp.imaging.conform import conform
from counterwarp.imaging.io import read_sidecar, read_volume, write_image
from counterwarp.imaging.qc import dice
from counterwarp.imaging.resample import at_least, resample
from counterwarp.imaging.strip import largest_solid, strip
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
