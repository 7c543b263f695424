"""Films: files made by hand are read as meant; of two films the known motion and change are found."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk  # noqa: N813 - its customary name
from chest_like import draw_film, write_dicom, write_png
from counterwarp.errors import ConfigError, CounterwarpError, ScanError
from counterwarp.imaging.film_pairs import observed_film_change, register_film
from counterwarp.imaging.films import (
    FilmGrid,
    centre_square,
    equalise,
    prepare_film,
    read_film,
    read_prepared,
    write_film,
)
from counterwarp.imaging.io import read_sidecar
from counterwarp.imaging.pack import pack_films
from counterwarp.stats.ncc import ncc
from PIL import Image

SMALL = np.array([[0, 1, 2], [3, 4, 5]])


def test_a_png_of_8_and_of_16_bits_keeps_its_grey_values(tmp_path):
    write_png(SMALL / 255, tmp_path / "eight.png", bits=8)
    write_png(10_000 * SMALL / 65535, tmp_path / "sixteen.png", bits=16)
    np.testing.assert_array_equal(read_film(tmp_path / "eight.png"), SMALL)
    np.testing.assert_array_equal(read_film(tmp_path / "sixteen.png"), 10_000 * SMALL)


def test_dicom_is_rescaled_and_monochrome1_is_turned_round_within_its_bits(tmp_path):
    write_dicom(700 * SMALL, tmp_path / "plain.dcm", bits=12)
    write_dicom(700 * SMALL, tmp_path / "scaled.dcm", bits=12, RescaleSlope=0.5, RescaleIntercept=-100)
    write_dicom(700 * SMALL, tmp_path / "turned.dcm", bits=12, interpretation="MONOCHROME1")
    write_dicom(
        700 * SMALL, tmp_path / "both.dcm", bits=14, interpretation="MONOCHROME1", RescaleSlope=2, RescaleIntercept=1
    )
    write_dicom(SMALL - 3, tmp_path / "signed", bits=16, interpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_film(tmp_path / "plain.dcm"), 700 * SMALL)
    np.testing.assert_array_equal(read_film(tmp_path / "scaled.dcm"), 350 * SMALL - 100)
    # Twelve bits end at 4095, fourteen at 16383; with a sign sixteen go from -32768 to 32767.
    np.testing.assert_array_equal(read_film(tmp_path / "turned.dcm"), 4095 - 700 * SMALL)
    np.testing.assert_array_equal(read_film(tmp_path / "both.dcm"), 2 * (16383 - 700 * SMALL) + 1)
    np.testing.assert_array_equal(read_film(tmp_path / "signed"), -1 - (SMALL - 3))


def test_compressed_dicom_is_read(tmp_path):
    film = (4095 * draw_film(1, 0.0)).astype(np.uint16)
    sitk.WriteImage(sitk.GetImageFromArray(film[None]), tmp_path / "film.dcm", useCompression=True)
    assert (tmp_path / "film.dcm").stat().st_size < film.nbytes
    np.testing.assert_array_equal(read_film(tmp_path / "film.dcm"), film)


# NIfTI, whose first axis goes to the right and whose second goes up.
UPRIGHT = SMALL.T[:, ::-1].astype(np.float32)
LEFTWARD = np.diag([-1.0, 1, 1, 1])


def save(data, affine, path):
    nib.save(nib.Nifti1Image(np.asarray(data, np.float32), affine), path)
    return path


def test_a_slice_is_seen_as_dicom_shows_it_however_its_axes_run(tmp_path):
    def seen(data, affine):
        return read_film(save(data, affine, tmp_path / "slice.nii.gz")).tolist()

    # The patient's left is at the right. A header that tells no position is understood likewise.
    for data in (UPRIGHT, UPRIGHT[..., None], UPRIGHT[..., None, None]):
        assert seen(data, LEFTWARD) == seen(data, None) == [[0, 1, 2], [3, 4, 5]]
    # The first axis towards the patient's right; the second towards the back.
    assert seen(UPRIGHT[::-1], np.eye(4)) == seen(SMALL.T, np.diag([-1, -1, 1, 1])) == [[0, 1, 2], [3, 4, 5]]
    # From the front and from the left: up is up, and of a sagittal slice the back is at the right.
    assert seen(UPRIGHT[:, None], LEFTWARD) == [[0, 1, 2], [3, 4, 5]]
    assert seen(UPRIGHT[None], np.diag([1, -1, 1, 1])) == [[0, 1, 2], [3, 4, 5]]
    # Stored as (y, x).
    swapped = np.eye(4)[[1, 0, 2, 3]] * [[-1], [1], [1], [1]]
    assert seen(UPRIGHT.T, swapped) == [[0, 1, 2], [3, 4, 5]]


def test_a_film_is_the_same_as_dicom_and_as_nifti(tmp_path):
    film = (4095 * draw_film(1, 0.0)).astype(np.uint16)
    write_dicom(film, tmp_path / "film.dcm")
    sitk.WriteImage(sitk.ReadImage(tmp_path / "film.dcm"), tmp_path / "slice.nii")
    sitk.WriteImage(sitk.GetImageFromArray(film), tmp_path / "plane.nii.gz")
    for name in ("film.dcm", "slice.nii", "plane.nii.gz"):
        np.testing.assert_array_equal(read_film(tmp_path / name), film)


def test_what_is_no_usable_film_is_refused_with_the_reason(tmp_path):
    def refused(name, words):
        with pytest.raises(ScanError, match=words) as caught:
            read_film(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)

    refused("none.png", "no such file")
    (tmp_path / "text.png").write_text("no film")
    refused("text.png", "not a readable PNG")
    write_png(SMALL / 255, tmp_path / "whole.png", bits=8)
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:50])
    refused("half.png", "not a readable PNG")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "colour.png")
    refused("colour.png", "mode RGB.*export it as grey")
    write_png(np.full((3, 3), 0.2), tmp_path / "flat.png", bits=8)
    refused("flat.png", "every pixel is 51")
    save(np.zeros((4, 5, 6)), np.eye(4), tmp_path / "volume.nii.gz")
    refused("volume.nii.gz", r"shape \(4, 5, 6\), not one slice.*cohort.source to table")
    save(np.zeros((4, 5, 1, 2)), np.eye(4), tmp_path / "series.nii.gz")
    refused("series.nii.gz", r"shape \(4, 5, 1, 2\), not one slice")
    save(UPRIGHT, np.diag([1, 2, 1, 1]), tmp_path / "oblong.nii.gz")
    refused("oblong.nii.gz", "pixels of 1 x 2 mm.*square")
    save(np.where(UPRIGHT == 3, np.nan, UPRIGHT), np.eye(4), tmp_path / "hole.nii")
    refused("hole.nii", "1 voxels are not finite")
    (tmp_path / "text.nii.gz").write_text("no film")
    refused("text.nii.gz", "not a readable image")
    (tmp_path / "text.dcm").write_text("no film")
    refused("text.dcm", "no film can be read")
    write_dicom(SMALL, tmp_path / "lateral.dcm", ViewPosition="LL")
    refused("lateral.dcm", "view position LL, not PA")
    write_dicom(SMALL, tmp_path / "oblong.dcm", ImagerPixelSpacing=[0.1, 0.2])
    refused("oblong.dcm", "0.1 x 0.2 mm.*square")
    write_dicom(np.stack([SMALL, SMALL]), tmp_path / "frames.dcm", NumberOfFrames=2)
    refused("frames.dcm", "2 x 2 x 3 values, not one film")
    colour = np.zeros((2, 3 * 3), int)
    write_dicom(colour, tmp_path / "colour.dcm", 16, "RGB", SamplesPerPixel=3, PlanarConfiguration=0, Columns=3)
    refused("colour.dcm", "photometric interpretation RGB")
    write_dicom(SMALL - 3, tmp_path / "signed.dcm", bits=12, interpretation="MONOCHROME1")
    refused("signed.dcm", "no film can be read.*GetBitsStored")
    (tmp_path / "half.dcm").write_bytes((tmp_path / "oblong.dcm").read_bytes()[:-40])
    refused("half.dcm", "no film can be read")


def test_the_centre_square_is_cut_and_the_histogram_is_flat(tmp_path):
    np.testing.assert_array_equal(centre_square(np.arange(15).reshape(3, 5)), [[1, 2, 3], [6, 7, 8], [11, 12, 13]])
    # Of four pixels two are equal: shares 1/8, 4/8, 4/8 and 7/8 become 2 share - 1.
    np.testing.assert_allclose(equalise(np.array([[9.0, 2], [5, 5]])), [[0.75, -0.75], [0, 0]])
    write_png(draw_film(1, 0.0, (90, 120)), tmp_path / "film.png")
    prepare_film(str(tmp_path / "film.png"), tmp_path / "out.png", tmp_path / "out.json", edge=64)
    film = read_prepared(tmp_path / "out.png", 64)
    counts, _ = np.histogram(film, bins=8, range=(-1, 1))
    assert np.abs(counts - 64**2 / 8).max() < 0.02 * 64**2
    assert "65535" in read_sidecar(tmp_path / "out.json")["Units"]


def test_a_prepared_film_keeps_its_values_and_its_size_is_checked(tmp_path):
    values = np.linspace(-1, 1, 256, dtype=np.float32).reshape(16, 16)
    write_film(values, tmp_path / "film.png")
    # Half of a step of 2 / 65535.
    np.testing.assert_allclose(read_prepared(tmp_path / "film.png", 16), values, atol=1.6e-5)
    write_film(values[:, :12], tmp_path / "oblong.png")
    with pytest.raises(ScanError, match="16 x 12 pixels, not 16 x 16"):
        read_prepared(tmp_path / "oblong.png", 16)
    with pytest.raises(ConfigError, match="crop: 300 is above edge, 256"):
        FilmGrid(256, 300)


def test_the_pose_of_the_earlier_film_is_found():
    pose = np.array([[1.03, 0.05, 0.04], [-0.04, 0.97, -0.05]])
    later = equalise(draw_film(3, 0.0, (96, 96), np.eye(2, 3)))
    earlier = equalise(draw_film(3, 0.0, (96, 96), pose, visit=1))
    _, inside, matrix = register_film(later, earlier)
    corners = np.array([[0, 0], [0, 95], [95, 0], [95, 95]])
    # The chest at (y, x) is at pose^-1 of it on the earlier film; half of the height is 48 pixels, about 47.5.
    at = ((corners - 47.5) / 48 - pose[:, 2]) @ np.linalg.inv(pose[:, :2]).T * 48 + 47.5
    found = (corners[:, ::-1] @ matrix[:, :2].T + matrix[:, 2])[:, ::-1]
    assert np.abs(found - at).max() < 0.25
    # The mask went through the transform: what lies beyond the earlier film does not count.
    beyond = ((at < 0) | (at > 95)).any(1)
    assert (inside[corners[:, 0], corners[:, 1]] == ~beyond).all() and 0.9 < inside.mean() < 1


def test_the_change_between_two_films_is_that_of_the_disease_with_its_sign(tmp_path):
    grid, shape = FilmGrid(96, 84), (96, 96)
    later = equalise(draw_film(5, 1.0, shape, np.eye(2, 3)))
    true = equalise(draw_film(5, 0.0, shape, np.eye(2, 3))) - later
    pose = np.array([[1.03, 0.06, 0.04], [-0.06, 0.97, 0.05]])
    write_film(equalise(draw_film(5, 0.0, shape, pose, visit=1)), tmp_path / "earlier.png")
    write_film(later, tmp_path / "later.png")
    outputs = [tmp_path / name for name in ("change.npy", "mask.npy", "change.json")]
    observed_film_change(tmp_path / "earlier.png", tmp_path / "later.png", grid, *outputs)
    change, mask = np.load(outputs[0]), np.load(outputs[1])
    assert change.shape == mask.shape == (84, 84) and not change[~mask].any()
    assert ncc(change, true[6:90, 6:90], mask) > 0.85
    # Without registration it is not seen.
    unmoved = equalise(draw_film(5, 0.0, shape, pose, visit=1)) - later
    assert ncc(unmoved[6:90, 6:90], true[6:90, 6:90], mask) < 0.7


def test_films_are_packed_whole_and_by_their_centres(tmp_path):
    labels = pd.DataFrame(
        {"scan": ["a", "b", "c"], "subject": list("123"), "group": ["control", "patient", "control"]}
    ).assign(split="train", baseline=True)
    films = {}
    for value, name in enumerate("ab"):
        films[name] = str(tmp_path / f"{name}.png")
        write_film(np.arange(64).reshape(8, 8) / 64 - value, films[name])
    outputs = [str(tmp_path / name) for name in ("frames.npy", "images.npy", "index.tsv", "mask.npy")]
    pack_films(labels, films, FilmGrid(8, 4), *outputs)
    frames, images, mask = (np.load(path) for path in (*outputs[:2], outputs[3]))
    assert frames.shape == (2, 8, 8) and images.shape == (2, 4, 4) and mask.all() and mask.shape == (4, 4)
    np.testing.assert_array_equal(images, frames[:, 2:6, 2:6])
    assert pd.read_csv(outputs[2], sep="\t")["scan"].to_list() == ["a", "b"]
    with pytest.raises(CounterwarpError, match="no usable patient scan"):
        pack_films(labels, {"a": films["a"]}, FilmGrid(8, 4), *outputs)
