"""Both atlases on a template's grid: positions, names, tissues and what is refused; SRI24 itself where it is."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from counterwarp.errors import CounterwarpError
from counterwarp.imaging.atlas import Atlas, grid_around, mni152, sri24, write_atlas
from counterwarp.imaging.io import Volume, read_volume
from counterwarp.imaging.parcellation import (
    ORBITOFRONTAL,
    desikan_regions,
    mni152_regions,
    named_regions,
    sri24_regions,
    write_parcellation,
)
from counterwarp.imaging.sri24 import read_sri24
from counterwarp.resources import places
from sri24_like import FILES, names, write_sri24_like

SRI24 = Path(__file__).parents[3] / "shared/data/sri24"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_sri24_like(tmp_path_factory.mktemp("sri24"))


@pytest.fixture
def copied(folder, tmp_path):
    """A copy to spoil, and its files."""
    for file in FILES:
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    return tmp_path, places("sri24", str(tmp_path))


def grid_of(atlas: Atlas) -> Volume:
    return Volume(atlas.mask, atlas.affine)


def spoil(path: Path, change) -> None:
    image = nib.load(path)
    data = np.asarray(image.dataobj).copy()
    nib.save(nib.Nifti1Image(change(data), image.affine), path)


def test_the_origin_is_the_middle_of_the_brain_and_left_is_left(folder):
    atlas = read_sri24(*places("sri24", str(folder)))
    assert np.linalg.det(atlas.brain.affine[:3, :3]) == pytest.approx(27)
    assert (np.diag(atlas.brain.affine) > 0).all()
    brain = np.argwhere(atlas.tissues.data > 0) @ atlas.brain.affine[:3, :3].T + atlas.brain.affine[:3, 3]
    np.testing.assert_allclose(brain.min(0), -brain.max(0), atol=1e-4)
    for label, name in names().items():
        x = atlas.brain.affine[0, 0] * np.argwhere(atlas.labels.data == label)[:, 0].mean() + atlas.brain.affine[0, 3]
        if not name.startswith("Vermis"):
            assert (x < 0) == name.endswith("_L")
    assert atlas.names == names()
    assert atlas.labels.data.max() == 116


@pytest.mark.parametrize("voxel_mm", [3.0, 6.0])
def test_everything_lies_on_one_grid_of_the_resolution(folder, voxel_mm):
    files = places("sri24", str(folder))
    raw, atlas = read_sri24(*files), sri24(files, voxel_mm)
    found = sri24_regions(grid_of(atlas), files)
    np.testing.assert_array_equal(found.affine, atlas.affine)
    np.testing.assert_allclose(np.diag(atlas.affine), [voxel_mm, voxel_mm, voxel_mm, 1])
    images = (atlas.brain, atlas.mask, found.labels, *atlas.tissues.values())
    assert {image.shape for image in images} == {atlas.mask.shape}
    assert atlas.mask[found.labels > 0].mean() > 0.95
    # Volumes of the brain and of each tissue, ml, survive the change of grid.
    assert atlas.mask.sum() * voxel_mm**3 == pytest.approx((raw.tissues.data > 0).sum() * 27, rel=0.02)
    np.testing.assert_allclose(sum(atlas.tissues.values())[atlas.mask], 1, rtol=1e-5)
    for label, share in enumerate(atlas.tissues.values(), 1):
        assert not share[~atlas.mask].any()
        assert share.sum() * voxel_mm**3 == pytest.approx((raw.tissues.data == label).sum() * 27, rel=0.25)
    assert not atlas.brain[~atlas.mask].any() and (atlas.brain[atlas.mask] > 0).mean() > 0.98


def test_a_grid_by_hand():
    # Ten voxels of 1 mm from 0: a box of 9 mm with 4 mm on either side is 17 mm, 18 voxels from -4.
    inside = np.zeros((12, 12, 12), bool)
    inside[:10, :10, :10] = True
    shape, affine = grid_around(inside, np.eye(4), 1.0)
    assert shape == (18, 18, 18)
    np.testing.assert_allclose(affine[:3, 3], -4)
    # 17 mm are 8.5 steps of 2 mm: 10 voxels, whose centres span 18 mm around 4.5.
    shape, affine = grid_around(inside, np.eye(4), 2.0)
    assert shape == (10, 10, 10)
    np.testing.assert_allclose(affine[:3, 3], -4.5)


def test_regions_without_voxels_are_left_out_and_said(caplog):
    labels = np.zeros((4, 4, 4), np.int16)
    labels[0], labels[1], labels[2] = 27, 28, 21
    rows = named_regions(labels, {21: "Olfactory_L", 22: "Olfactory_R", 27: "Rectus_L", 28: "Rectus_R"})
    assert [(row["index"], row["name"]) for row in rows] == [
        ("21", "Olfactory_L"),
        ("27", "Rectus_L"),
        ("28", "Rectus_R"),
        ("27 28", "Rectus"),
    ]
    assert "Olfactory_R" in caplog.text


def test_what_is_written_says_its_space_and_knows_no_affected_region(folder, tmp_path):
    files = places("sri24", str(folder))
    outputs = {name: str(tmp_path / f"{name}.nii.gz") for name in ("brain", "brain_mask", "CSF", "GM", "WM")}
    write_atlas(sri24(files, 6.0), "SRI24", outputs)
    template = read_volume(outputs["brain_mask"])
    written = str(tmp_path / "labels.nii.gz"), str(tmp_path / "t.tsv")
    write_parcellation(sri24_regions(template, files), "SRI24", *written)
    labels = nib.load(written[0])
    assert nib.load(outputs["brain"]).header["sform_code"] == labels.header["sform_code"] == 5
    assert labels.get_data_dtype() == np.int16
    table = pd.read_csv(written[1], sep="\t")
    assert list(table) == ["index", "name", "tissue"] and set(table["tissue"]) == {"GM"}
    assert list(table["name"][-4:]) == list(ORBITOFRONTAL)
    assert list(table["index"][-4:]) == ["5 6", "25 26", "27 28", "21 22"]


def test_the_regions_of_people_lie_where_the_brain_has_them():
    template = grid_of(mni152(2.0))
    parcellation = desikan_regions(template)
    regions = parcellation.regions.set_index("name")
    assert len(regions) == 2 * 8 + 2 * 34 and regions.index.is_unique and regions["index"].is_unique
    assert regions.loc["hippocampus_R", "tissue"] == "brain" and regions.loc["insula_L", "tissue"] == "GM"
    assert regions.loc["caudate_L", "trust"] == "good" and regions.loc["hippocampus_L", "trust"] == "weak"
    assert regions.loc["cuneus_L", "trust"] == "unknown"
    places = {
        name: np.argwhere(parcellation.labels == label) @ parcellation.affine[:3, :3].T + parcellation.affine[:3, 3]
        for name, label in regions["index"].items()
    }
    for name, near_mm in (
        ("hippocampus_R", (26, -24, -14)),
        ("hippocampus_L", (-26, -24, -14)),
        ("thalamus_L", (-11, -19, 7)),
        ("lateral_ventricle_R", (17, -15, 14)),
    ):
        assert np.linalg.norm(places[name].mean(0) - near_mm) < 9, name
    # Fluid that is none of the lateral ventricles has a label, and no region.
    assert set(np.unique(parcellation.labels)) - {0, *regions["index"]} == {14, 15, 24}


def test_the_demo_regions_know_what_is_affected():
    template = grid_of(mni152(6.0))
    known = mni152_regions(template, {"hippocampus": -0.2}).regions.set_index("name")["affected"]
    assert known["hippocampus_L"] == -1 and known["insula_L"] == 0


def test_images_of_two_grids_are_refused(copied):
    folder, files = copied
    spoil(folder / FILES[0], lambda data: data[:-1])
    with pytest.raises(CounterwarpError, match=r"spgr\.nii\.gz: a grid of shape"):
        read_sri24(*files)


def test_other_tissues_are_refused(copied):
    folder, files = copied
    spoil(folder / FILES[1], lambda data: data * 2)
    with pytest.raises(CounterwarpError, match=r"tissues\.nii\.gz: values other than"):
        read_sri24(*files)


def test_a_label_without_voxels_is_refused(copied):
    folder, files = copied
    spoil(folder / FILES[2], lambda data: np.where(data == 28, 0, data))
    with pytest.raises(CounterwarpError, match=r"tzo116plus\.nii\.gz: no voxel of label 28;"):
        read_sri24(*files)


def test_a_label_without_name_is_refused(copied):
    folder, files = copied
    lines = (folder / FILES[3]).read_text().splitlines()
    (folder / FILES[3]).write_text("\n".join(line for line in lines if "Rectus" not in line))
    with pytest.raises(CounterwarpError, match=r"SRI24-tzo116plus\.txt: no name for label 27, 28;"):
        read_sri24(*files)


def test_a_header_that_takes_left_for_right_is_refused(copied):
    folder, files = copied
    for file in FILES[:3]:
        image = nib.load(folder / file)
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj), np.diag([3.0, 3, 3, 1])), folder / file)
    with pytest.raises(CounterwarpError, match="left is right"):
        read_sri24(*files)


@pytest.mark.skipif(not SRI24.is_dir(), reason="SRI24 is not at hand")
def test_sri24_itself():
    """Voxels counted in the file: 4741 and 4185, 5282 and 5012, 4434 and 4183, 2462 and 2776."""
    files = places("sri24", str(SRI24))
    atlas = sri24(files, 1.0)
    found = sri24_regions(grid_of(atlas), files)
    assert atlas.mask.sum() == 1451706 and atlas.mask.shape == (141, 179, 142)
    assert len(found.regions) == 120
    index = found.regions.set_index("name")["index"]
    for name, voxels in zip(ORBITOFRONTAL, (8926, 10294, 8617, 5238), strict=True):
        sides = [np.argwhere(found.labels == int(index[f"{name}_{side}"])) for side in "LR"]
        assert sum(map(len, sides)) == voxels
        left, right = (side[:, 0].mean() + atlas.affine[0, 3] for side in sides)
        assert left < 0 < right and left == pytest.approx(-right, abs=3)
        # In front of the middle of the brain, and below the superior frontal gyri.
        assert all(side[:, 1].mean() + atlas.affine[1, 3] > 25 for side in sides)
        grey = [atlas.tissues["GM"][tuple(side.T)].sum() / 1000 for side in sides]
        assert 1 < grey[0] < 4 and grey[0] == pytest.approx(grey[1], rel=0.1)
