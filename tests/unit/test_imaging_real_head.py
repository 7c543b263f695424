"""The chain on one real head, against ROBEX; only where the project's shared images are at hand."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from counterwarp.cohorts.demo import write_head
from counterwarp.imaging.ants import run
from counterwarp.imaging.atlas import mni152, sri24, write_atlas
from counterwarp.imaging.bias import correct_bias
from counterwarp.imaging.conform import conform
from counterwarp.imaging.io import read_sidecar, read_volume, write_image
from counterwarp.imaging.parcellation import ORBITOFRONTAL, sri24_regions, write_parcellation
from counterwarp.imaging.qc import dice, measure
from counterwarp.imaging.regions import measure_scan
from counterwarp.imaging.register import register
from counterwarp.imaging.resample import at_least, resample
from counterwarp.imaging.segment import TISSUES, segment
from counterwarp.imaging.strip import largest_solid, strip
from counterwarp.imaging.warp import register_nonlinear
from counterwarp.resources import places
from fsl_like import apply
from scipy.ndimage import affine_transform, binary_closing

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not (DATA / "heads").is_dir(), reason="the shared images are not at hand")
SLOW = pytest.mark.skipif("COUNTERWARP_SLOW" not in os.environ, reason="four CPU minutes: set COUNTERWARP_SLOW=1")


def outputs_of_register(folder: Path, prefix: str = "") -> dict[str, str]:
    names = {"transform": "x.mat", "world": "world.txt", "flirt": "flirt.mat", "transform_sidecar": "x.json"}
    names |= {"image": "moved.nii.gz", "image_sidecar": "moved.json", "mask": "mask_moved.nii.gz"}
    return {name: str(folder / f"{prefix}{file}") for name, file in (names | {"mask_sidecar": "mask.json"}).items()}


def assert_notations_agree(outputs: dict[str, str], scan: Path, template: str, folder: Path) -> None:
    """World matrix, ITK's file and FLIRT's matrix put the brain at one place."""
    image, target = read_volume(scan), read_volume(template)
    steps = np.linalg.inv(np.loadtxt(outputs["world"]) @ image.affine) @ target.affine
    by_world = affine_transform(image.data, steps[:3, :3], steps[:3, 3], target.shape, order=1)
    run("antsApplyTransforms", "-d", 3, "-i", scan, "-r", template, "-o", folder / "a.nii", "-t", outputs["transform"])
    by_flirt = apply(np.loadtxt(outputs["flirt"]), nib.load(scan), nib.load(template))
    inside = read_volume(outputs["mask"]).data > 0.5
    for moved in (read_volume(folder / "a.nii").data, by_flirt):
        np.testing.assert_allclose(moved[inside], by_world[inside], atol=1e-3 * by_world.max())


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
    head = (str(DATA / "mni/avg152T1.nii"), at("head_mask.nii.gz"))
    strip(at("n4.nii.gz"), at("mask.nii.gz"), at("m.json"), "template", 1, 0.5, *head)
    found = read_volume(at("mask.nii.gz"))
    np.testing.assert_allclose(found.affine, coarse.affine, atol=1e-4)
    agreement, litres = dice(found.data > 0.5, true), read_sidecar(at("m.json"))["VolumeInLitres"]
    print(f"Dice {agreement:.4f}, {litres:.3f} l")
    assert agreement >= 0.95
    assert 1.3 < litres < 1.8


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Bias-corrected at its full resolution, and both atlases at 2 mm."""
    folder = tmp_path_factory.mktemp("whole")
    conform(str(DATA / "heads/chris_t1.nii.gz"), f"{folder}/conform.nii.gz", f"{folder}/conform.json", 100)
    correct_bias(f"{folder}/conform.nii.gz", f"{folder}/n4.nii.gz", denoise=True)
    for atlas, space in ((mni152(2.0), "MNI152"), (sri24(places("sri24", str(DATA / "sri24")), 2.0), "SRI24")):
        names = ("brain", "brain_mask", *TISSUES)
        write_atlas(atlas, space, {name: f"{folder}/{space}_{name}.nii.gz" for name in names})
    return folder


@pytest.fixture(scope="module")
def brains(whole) -> dict[str, str]:
    """Masks by both engines that are at hand."""
    write_head(f"{whole}/head.nii.gz", f"{whole}/head_mask.nii.gz")
    masks = {engine: f"{whole}/{engine}.nii.gz" for engine in ("template", "robex")}
    for engine, path in masks.items():
        head = (f"{whole}/head.nii.gz", f"{whole}/head_mask.nii.gz") if engine == "template" else ()
        strip(f"{whole}/n4.nii.gz", path, f"{whole}/{engine}.json", engine, 1, 0.5, *head)
    return masks


@SLOW
def test_template_and_robex_agree_on_the_brain(brains):
    by_template, by_robex = (read_volume(path).data > 0.5 for path in brains.values())
    agreement = dice(by_template, by_robex)
    print(f"Dice {agreement:.4f}")
    assert agreement >= 0.95


@SLOW
@pytest.mark.parametrize("space", ["MNI152", "SRI24"])
@pytest.mark.parametrize("engine", ["template", "robex"])
def test_the_whole_chain_ends_in_tissues_of_an_adult(whole, brains, engine, space):
    prefix = f"{engine}_{space}_"
    outputs = outputs_of_register(whole, prefix)
    template, template_mask = (f"{whole}/{space}_{name}.nii.gz" for name in ("brain", "brain_mask"))
    sidecars = {"conform": f"{whole}/conform.json", "strip": f"{whole}/{engine}.json"}
    register(f"{whole}/n4.nii.gz", brains[engine], template, sidecars, outputs, "ants", 12, 1, space)
    files = (f"{whole}/n4.nii.gz", brains[engine], outputs["transform_sidecar"], template, template_mask)
    numbers = measure(*files, sidecars["conform"])
    assert numbers["flags"] == numbers["warnings"] == [] and numbers["grade"] == "good"
    fields = [f"{whole}/{prefix}{name}" for name in ("warp.nii.gz", "inverse.nii.gz", "warp.json", "inverse.json")]
    register_nonlinear(outputs["image"], template, *fields, "full", 1, space)
    found = {tissue: f"{whole}/{prefix}{tissue}.nii.gz" for tissue in TISSUES}
    priors = {tissue: f"{whole}/{space}_{tissue}.nii.gz" for tissue in TISSUES}
    segment(outputs["image"], outputs["mask"], found, f"{whole}/{prefix}probseg.json", space, fields[1], priors)
    by_kmeans = {tissue: f"{whole}/{prefix}kmeans_{tissue}.nii.gz" for tissue in TISSUES}
    segment(outputs["image"], outputs["mask"], by_kmeans, f"{whole}/{prefix}kmeans_probseg.json", space)
    larger = np.linalg.det(np.array(read_sidecar(outputs["transform_sidecar"])["WorldMatrix"])[:3, :3])
    ml, ml_by_kmeans = (
        {tissue: read_volume(path).data.sum() * 2.0**3 / 1000 / larger for tissue, path in files.items()}
        for files in (found, by_kmeans)
    )
    for told in (ml, ml_by_kmeans):
        print(engine, space, {tissue: round(volume) for tissue, volume in told.items()}, numbers)
        assert 100 < told["CSF"] < 400
    assert 600 < ml["GM"] < 950 and 400 < ml["WM"] < 600
    assert 1200 < ml["GM"] + ml["WM"] < 1450
    assert 500 < ml_by_kmeans["GM"] < 800 and 400 < ml_by_kmeans["WM"] < 700


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
    template = dict(zip(("brain", "brain_mask"), at("t1.nii.gz", "t1m.nii.gz"), strict=True))
    files, regions = places("sri24", str(DATA / "sri24")), at("labels.nii.gz", "t.tsv")
    write_atlas(sri24(files, 2.0), "SRI24", template | tissues)
    write_parcellation(sri24_regions(read_volume(template["brain_mask"]), files), "SRI24", *regions)
    outputs = outputs_of_register(tmp_path)
    register(*at("n4.nii.gz", "brain.nii.gz"), template["brain"], {}, outputs, "ants", 12, 1, "SRI24")
    matrix = np.array(read_sidecar(outputs["transform_sidecar"])["WorldMatrix"])[:3, :3]
    # No axis turned over, and about the size of SRI24's brain.
    assert (np.diag(matrix) > 0.8).all() and (np.abs(matrix - np.diag(np.diag(matrix))) < 0.4).all()
    assert_notations_agree(outputs, tmp_path / "n4.nii.gz", template["brain"], tmp_path)
    moved, inside = read_volume(outputs["mask"]), read_volume(template["brain_mask"])
    assert dice(moved.data > 0.5, inside.data > 0.5) > 0.9
    fields = at("warp.nii.gz", "inverse.nii.gz", "warp.json", "inverse.json")
    register_nonlinear(outputs["image"], template["brain"], *fields, "quick", 1, "SRI24")
    found = {tissue: f"{tmp_path}/own_{tissue}.nii.gz" for tissue in TISSUES}
    segment(outputs["image"], outputs["mask"], found, f"{tmp_path}/probseg.json", "SRI24", fields[1], tissues)
    transform = outputs["transform_sidecar"]
    measure_scan(fields[1], found, transform, *regions, template["brain_mask"], f"{tmp_path}/v.tsv")
    volumes = pd.read_csv(f"{tmp_path}/v.tsv", sep="\t").set_index("region")["volume_ml"]
    for name in ORBITOFRONTAL:
        left, right = volumes[f"{name}_L"], volumes[f"{name}_R"]
        assert volumes[name] == pytest.approx(left + right, abs=0.001)
        assert 2 < volumes[name] < 10 and 0.6 < left / right < 1.6
