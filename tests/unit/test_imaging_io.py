"""Every image that cannot be used is refused in one sentence that names the file, the value and the remedy."""

import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from counterwarp import __version__
from counterwarp.errors import BrokenFileError, ScanError
from counterwarp.imaging.films import read_prepared, write_film
from counterwarp.imaging.io import (
    open_image,
    read_sidecar,
    read_volume,
    write_dataset_description,
    write_image,
    write_sidecar,
)
from counterwarp.imaging.warp import read_field
from PIL import Image


def save(path: Path, data: np.ndarray, affine=None) -> Path:
    nib.save(nib.Nifti1Image(data, np.eye(4) if affine is None else affine), path)
    return path


def random(*shape) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def refusal(path) -> str:
    with pytest.raises(ScanError) as error:
        open_image(path)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_missing_file(tmp_path):
    assert "no such file" in refusal(tmp_path / "absent.nii.gz")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_gzip(tmp_path, share):
    path = save(tmp_path / "scan.nii.gz", random(20, 20, 20))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "copy" in refusal(path)


def test_a_truncated_image_without_compression(tmp_path):
    path = save(tmp_path / "scan.nii", random(20, 20, 20))
    path.write_bytes(path.read_bytes()[:-100])
    assert "truncated" in refusal(path)


@pytest.mark.parametrize(
    ("write", "read"),
    [
        (lambda path: save(path, random(9, 9, 9)), read_volume),
        (lambda path: save(path, random(9, 9, 9, 1, 3)), read_field),
        (lambda path: write_film(random(9, 9), path), lambda path: read_prepared(path, 9)),
        (lambda path: path.write_text(json.dumps({"Warnings": ["a"]})), read_sidecar),
    ],
    ids=["volume", "field", "film", "side-car"],
)
@pytest.mark.parametrize("share", [0.0, 0.9])
def test_what_a_step_wrote_and_is_broken_is_no_fault_of_the_scan(tmp_path, write, read, share):
    entry, path = tmp_path / "entry.nii.gz", tmp_path / "scan.nii.gz"
    path.symlink_to(entry)
    write(entry)
    read(path)
    entry.write_bytes(entry.read_bytes()[: int(share * entry.stat().st_size)])
    with pytest.raises(BrokenFileError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and text.endswith(f"delete {path} and {entry}, run again")


NO_IMAGES = {"empty": b"", "text": b"not an image at all", "compressed text": gzip.compress(b"no image either" * 40)}


@pytest.mark.parametrize("content", NO_IMAGES.values(), ids=NO_IMAGES.keys())
def test_a_file_that_is_no_image(tmp_path, content):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(content)
    assert "copy" in refusal(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(tmp_path, value):
    data = random(5, 6, 7)
    data[1, 2, 3] = data[4, 4, 4] = value
    message = refusal(save(tmp_path / "scan.nii.gz", data))
    assert "2 voxels are not finite" in message
    assert "(1, 2, 3)" in message


def test_four_dimensions_with_more_than_one_volume(tmp_path):
    message = refusal(save(tmp_path / "scan.nii.gz", random(5, 6, 7, 3)))
    assert "4-D" in message
    assert "(5, 6, 7, 3)" in message


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1)])
def test_an_image_that_is_flat(tmp_path, shape):
    message = refusal(save(tmp_path / "scan.nii.gz", random(*shape)))
    assert "three-dimensional" in message and "cohort.source to films" in message


def test_a_picture_among_scans(tmp_path):
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "film.png")
    assert "cohort.source to films" in refusal(tmp_path / "film.png")


def test_colours(tmp_path):
    rgb = np.zeros((4, 5, 6), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    assert "one number per voxel" in refusal(save(tmp_path / "scan.nii.gz", rgb))


def test_complex_numbers(tmp_path):
    assert "complex" in refusal(save(tmp_path / "scan.nii.gz", random(4, 5, 6).astype(np.complex64)))


@pytest.mark.parametrize("value", [0, np.nan])
def test_a_header_that_puts_the_voxels_nowhere(tmp_path, value):
    path = save(tmp_path / "scan.nii", random(4, 5, 6))
    content = bytearray(path.read_bytes())
    content[312:328] = np.full(4, value, np.float32).tobytes()  # srow_z, the third row of the sform
    path.write_bytes(content)
    assert "no usable position" in refusal(path)


def test_a_fourth_axis_of_length_one_is_dropped(tmp_path):
    data = random(5, 6, 7)
    np.testing.assert_array_equal(read_volume(save(tmp_path / "scan.nii.gz", data[..., None])).data, data)


def test_integers_and_their_scaling_are_read_as_float(tmp_path):
    image = nib.Nifti1Image(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), np.eye(4))
    image.header.set_slope_inter(2, 10)
    nib.save(image, tmp_path / "scan.nii.gz")
    volume = read_volume(tmp_path / "scan.nii.gz")
    assert volume.data.dtype == np.float32
    assert volume.data[0, 0, 3] == 16


def test_a_written_image_comes_back_with_its_space(tmp_path):
    affine = np.array([[0, -2, 0, 5], [1.5, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1.0]])
    write_image(random(4, 5, 6).astype(np.float64), affine, tmp_path / "a.nii.gz", "MNI152")
    image = nib.load(tmp_path / "a.nii.gz")
    assert image.get_data_dtype() == np.float32
    assert (image.header["qform_code"], image.header["sform_code"]) == (4, 4)
    assert image.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(image.get_qform(), affine, atol=1e-6)
    volume = read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(volume.affine, affine)
    np.testing.assert_allclose(volume.voxel_mm, [1.5, 2, 3])


def test_a_mask_is_written_as_bytes_and_the_same_image_as_the_same_bytes(tmp_path):
    mask = random(4, 5, 6) > 0.5
    for name in ("a", "b"):
        write_image(mask, np.eye(4), tmp_path / f"{name}.nii.gz", "scanner")
    assert nib.load(tmp_path / "a.nii.gz").get_data_dtype() == np.uint8
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_the_sidecar_says_where_an_image_comes_from_and_what_made_it(tmp_path):
    write_sidecar(tmp_path / "a.json", sources=["x.nii.gz"], space="MNI152", tools=("numpy",), Units="mm")
    content = read_sidecar(tmp_path / "a.json")
    assert content["Sources"] == ["x.nii.gz"]
    assert content["Space"] == "MNI152"
    assert content["Units"] == "mm"
    assert content["SoftwareVersions"] == {"counterwarp": __version__, "numpy": np.__version__}


def test_the_description_of_the_derivatives_has_what_bids_requires(tmp_path):
    write_dataset_description(tmp_path / "d.json", "name")
    content = json.loads((tmp_path / "d.json").read_text())
    assert content["DatasetType"] == "derivative"
    assert content["GeneratedBy"][0]["Name"] == "counterwarp"
    assert {"Name", "BIDSVersion"} <= set(content)
