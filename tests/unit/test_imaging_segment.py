"""Tissues of a brain that is known: by the template's priors and by k-means of its signal."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from counterwarp.errors import ScanError
from counterwarp.imaging.atlas import Atlas, mni152
from counterwarp.imaging.io import read_sidecar, read_volume, write_image
from counterwarp.imaging.segment import TISSUES, check_order, darkest_first, segment

SIGNAL = {"CSF": 250.0, "GM": 650.0, "WM": 1000.0}
VOXEL_MM, NOISE, CAVITY_MM = 3.0, 30.0, 35.0


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return mni152(VOXEL_MM)


def brain(atlas: Atlas, with_cavity: bool, folder: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Write MNI152's brain, of one tissue a voxel, with noise; its true tissues and the cavity, full of fluid."""
    grid = np.stack(np.meshgrid(*map(np.arange, atlas.mask.shape), indexing="ij"), -1)
    centre = np.argwhere(atlas.mask).mean(0) + np.array([0, 0, 5])
    cavity = atlas.mask & (VOXEL_MM * np.linalg.norm(grid - centre, axis=-1) < CAVITY_MM)
    most = np.stack([atlas.tissues[tissue] for tissue in TISSUES]).argmax(0)
    if with_cavity:
        most[cavity] = 0
    true = {tissue: atlas.mask & (most == number) for number, tissue in enumerate(TISSUES)}
    noise = np.random.default_rng(0).normal(0, NOISE, (2, *most.shape))
    signal = np.hypot(sum(SIGNAL[tissue] * inside for tissue, inside in true.items()) + noise[0], noise[1])
    images = {"brain": (signal * atlas.mask).astype(np.float32), "mask": atlas.mask} | atlas.tissues
    for name, data in images.items():
        write_image(data, atlas.affine, folder / f"{name}.nii.gz", "MNI152")
    nowhere = np.zeros((*atlas.mask.shape, 1, 3), np.float32)
    nib.save(nib.Nifti1Image(nowhere, atlas.affine), folder / "inverse.nii.gz")
    return true, cavity


def found_by(engine: str, folder: Path) -> dict[str, np.ndarray]:
    """The tissues that are found, of which the side-car says by what."""
    outputs = {tissue: str(folder / f"{engine}_{tissue}.nii.gz") for tissue in TISSUES}
    priors = {tissue: str(folder / f"{tissue}.nii.gz") for tissue in TISSUES} if engine == "priors" else None
    files = [str(folder / name) for name in ("brain.nii.gz", "mask.nii.gz")]
    segment(*files, outputs, str(folder / "probseg.json"), "MNI152", str(folder / "inverse.nii.gz"), priors)
    told = read_sidecar(folder / "probseg.json")
    assert told["Engine"] == engine and told["SoftwareVersions"]["antspyx"]
    guide = {"priors": "-i PriorProbabilityImages[3,./prior%d.nii,0.1] ", "kmeans": "-i Otsu[3] "}[engine]
    assert len(told["CommandLines"]) == 1 and guide in told["CommandLines"][0]
    return {tissue: read_volume(path).data for tissue, path in outputs.items()}


@pytest.mark.parametrize("engine", ["priors", "kmeans"])
def test_either_way_finds_the_tissues_of_a_brain_like_the_templates(atlas, tmp_path, engine):
    true, _ = brain(atlas, False, tmp_path)
    shares = found_by(engine, tmp_path)
    np.testing.assert_allclose(sum(shares.values())[atlas.mask], 1, atol=1e-5)
    assert not sum(shares.values())[~atlas.mask].any()
    for tissue, inside in true.items():
        assert shares[tissue].sum() == pytest.approx(inside.sum(), rel=0.01)
        assert shares[tissue][inside].mean() > 0.99


@pytest.mark.parametrize("engine", ["priors", "kmeans"])
def test_fluid_is_found_where_the_template_has_none(atlas, tmp_path, engine):
    """A cavity of 0.18 l amid white matter and deep grey matter."""
    true, cavity = brain(atlas, True, tmp_path)
    shares = found_by(engine, tmp_path)
    assert shares["CSF"][cavity].mean() > 0.99
    for tissue, inside in true.items():
        assert shares[tissue].sum() == pytest.approx(inside.sum(), rel=0.01)


def test_classes_are_put_in_order_by_their_mean_signal():
    signal = np.array([10.0, 20.0, 30.0, 40.0])
    bright, dark, middle = np.array([[0, 0, 0, 1.0], [1, 0.5, 0, 0], [0, 0.5, 1, 0]])
    # Means 40, (10 + 10) / 1.5 = 13.3 and (10 + 30) / 1.5 = 26.7.
    assert [list(share) for share in darkest_first(signal, [bright, dark, middle])] == [
        list(share) for share in (dark, middle, bright)
    ]
    check_order(signal, dict(zip(TISSUES, (dark, middle, bright), strict=True)), "scan.nii")
    with pytest.raises(ScanError, match=r"scan.nii: mean signal is CSF 40, GM 26.67, WM 13.33, but CSF < GM < WM"):
        check_order(signal, dict(zip(TISSUES, (bright, middle, dark), strict=True)), "scan.nii")
