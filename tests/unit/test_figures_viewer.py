"""The interactive viewer: one page that holds all it needs and is small enough to be shown."""

import re

import nibabel
import numpy as np
import pytest
from counterwarp.figures import viewer


@pytest.fixture
def images():
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = -36, -40, -32
    mask = np.zeros((18, 20, 16), dtype=np.uint8)
    mask[2:-2, 2:-2, 2:-2] = 1
    rng = np.random.default_rng(0)
    data = rng.normal(size=(2, *mask.shape)).astype(np.float32)
    return [nibabel.Nifti1Image(array, affine) for array in (0.1 * data[0], data[1] ** 2, mask)]


def test_the_page_holds_all_it_needs(images):
    page = viewer.viewer_page(*images, title="cycle")
    assert len(page) < viewer.LARGEST_PAGE
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?:', page)


def test_a_page_too_large_to_be_shown_is_made_coarser(images, monkeypatch):
    finer = np.diag([0.5, 0.5, 0.5, 1])
    fine = [
        nibabel.Nifti1Image(np.kron(one.dataobj, np.ones((2, 2, 2), np.float32)), one.affine @ finer) for one in images
    ]
    full = len(viewer.viewer_page(*fine, title="cycle"))
    monkeypatch.setattr(viewer, "LARGEST_PAGE", full)
    assert len(viewer.viewer_page(*fine, title="cycle")) < full
