"""Regional volumes against boxes whose volume is known."""

import json

import numpy as np
import pandas as pd
import pytest
from counterwarp.imaging.io import write_image
from counterwarp.imaging.regions import labels_of, measure, measure_scan, region_share
from counterwarp.imaging.warp import Field, carry

SHAPE = (20, 20, 20)
AFFINE = np.diag([2.0, 2, 2, 1])
REGIONS = [{"index": "1", "name": "a_L", "tissue": "GM"}, {"index": "2", "name": "v_L", "tissue": "CSF"}]


def labels() -> np.ndarray:
    parcels = np.zeros(SHAPE, np.float32)
    parcels[2:7, 2:7, 2:7] = 1  # 125 voxels of 8 mm^3: 1 ml
    parcels[10:15, 10:15, 10:20] = 2  # 250 voxels: 2 ml
    return parcels


def still() -> Field:
    return Field(np.zeros((*SHAPE, 3), np.float32), AFFINE)


def test_volumes_of_pure_tissue():
    everywhere = {"GM": np.ones(SHAPE), "CSF": np.ones(SHAPE)}
    assert measure(labels(), AFFINE, still(), everywhere, REGIONS) == pytest.approx([1.0, 2.0])


def test_a_region_made_of_others_is_as_large_as_they_are_together():
    assert labels_of("21 22") == [21, 22] and labels_of(7) == [7]
    both = [*REGIONS, {"index": "1 2", "name": "both", "tissue": "GM"}]
    assert measure(labels(), AFFINE, still(), {"GM": np.ones(SHAPE), "CSF": np.ones(SHAPE)}, both)[2] == pytest.approx(
        3
    )


def test_only_the_regions_own_tissue_counts():
    tissues = {"GM": np.full(SHAPE, 0.25), "CSF": np.full(SHAPE, 0.75)}
    assert measure(labels(), AFFINE, still(), tissues, REGIONS) == pytest.approx([0.25, 1.5])


def test_a_region_that_the_inverse_field_enlarges_is_measured_larger():
    """A pull-back to p / 1.2 about the middle of the box enlarges it 1.2 times in each direction."""
    points = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1) * 2.0
    centre = np.array([8.0, 8, 8])  # mm, of the first box
    grow = Field(((points - centre) * (1 / 1.2 - 1)).astype(np.float32), AFFINE)
    everywhere = {"GM": np.ones(SHAPE), "CSF": np.ones(SHAPE)}
    assert measure(labels(), AFFINE, grow, everywhere, REGIONS)[0] == pytest.approx(1.2**3, rel=0.03)


def test_the_table_has_a_row_for_each_region(tmp_path):
    write_image(labels(), AFFINE, tmp_path / "labels.nii.gz", "MNI152")
    write_image(np.full(SHAPE, 0.5), AFFINE, tmp_path / "half.nii.gz", "MNI152")
    pd.DataFrame(REGIONS).to_csv(tmp_path / "labels.tsv", sep="\t", index=False)
    write_image(np.zeros((*SHAPE, 1, 3)), AFFINE, tmp_path / "inverse.nii.gz", "MNI152")
    write_image(np.ones((10, 10, 10), bool), AFFINE, tmp_path / "brain.nii.gz", "MNI152")
    # A head half as large as the template's, in volume.
    (tmp_path / "affine.json").write_text(json.dumps({"WorldMatrix": np.diag([2.0, 1, -1, 1]).tolist()}))
    tissues = {tissue: str(tmp_path / "half.nii.gz") for tissue in ("GM", "WM", "CSF")}
    files = ("affine.json", "labels.nii.gz", "labels.tsv", "brain.nii.gz", "volumes.tsv")
    measure_scan(str(tmp_path / "inverse.nii.gz"), tissues, *(str(tmp_path / name) for name in files))
    table = pd.read_csv(tmp_path / "volumes.tsv", sep="\t")
    assert list(table.columns) == ["region", "tissue", "volume_ml", "native_mm3", "icv_ml"]
    assert list(table.region) == ["a_L", "v_L"]
    np.testing.assert_allclose(table.volume_ml, [0.5, 1.0])
    np.testing.assert_allclose(table.native_mm3, [250, 500])
    # 1000 voxels of 8 mm^3 are 8 ml in the template.
    np.testing.assert_allclose(table.icv_ml, 4)


@pytest.mark.parametrize("voxel_mm", [2.0, 5.0])
def test_looking_only_near_the_region_gives_what_carrying_all_of_it_gives(voxel_mm):
    """On the region's own voxels and on coarser ones."""
    rng = np.random.default_rng(0)
    region = np.zeros(SHAPE, bool)
    region[6:12, 5:11, 8:14] = True
    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1])
    shape = (int(40 / voxel_mm),) * 3
    field = Field(rng.normal(0, 3, (*shape, 3)).astype(np.float32), affine)
    points = field.sources() @ np.linalg.inv(AFFINE)[:3, :3].T
    where, share = region_share(region, points.reshape(-1, 3), np.linalg.inv(AFFINE) @ affine)
    found = np.zeros(np.prod(shape))
    found[where] = share
    inside = ((points >= 0) & (points <= np.array(SHAPE) - 1)).all(-1).reshape(-1)
    np.testing.assert_allclose(found[inside], carry(region, AFFINE, field).reshape(-1)[inside], atol=2e-3)


def test_a_region_that_is_not_there_has_no_volume():
    assert measure(labels() * 0, AFFINE, still(), {"GM": np.ones(SHAPE), "CSF": np.ones(SHAPE)}, REGIONS) == [0, 0]
