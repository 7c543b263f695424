"""The group's map to click through, as one HTML page that holds all it needs."""

import numpy as np

from counterwarp.errors import CounterwarpError
from counterwarp.figures.group import nice
from counterwarp.figures.style import DIVERGING, percent

# Chromium shows nothing where a page inside Snakemake's report is an address of more than 2 MiB (measured), and base64
# makes it a third longer.
LARGEST_PAGE = 1_500_000


def viewer_page(log_jacobian, template, mask, title: str) -> str:
    """The page of nilearn's interactive viewer.

    Args:
        log_jacobian, template, mask: nibabel images on one grid.
        title: of the page.

    Raises:
        CounterwarpError: where the page would be too large even at the coarsest grid.
    """
    from nilearn.image import load_img, new_img_like, resample_img
    from nilearn.plotting import view_img

    inside = mask.get_fdata() > 0.5
    change = np.where(inside, percent(log_jacobian.get_fdata()), 0).astype(np.float32)
    limit = nice(np.percentile(np.abs(change[inside]), 99.5))
    shown, background = new_img_like(log_jacobian, change), load_img(template)
    strongest = np.unravel_index(np.argmax(np.abs(change)), change.shape)
    cut = tuple(float(value) for value in (log_jacobian.affine @ [*strongest, 1])[:3])
    for edge in (None, 3.0, 4.0):
        if edge:
            shown = resample_img(
                shown, np.diag([edge] * 3), interpolation="linear", force_resample=True, copy_header=True
            )
            background = resample_img(background, np.diag([edge] * 3), force_resample=True, copy_header=True)
        page = view_img(
            shown,
            bg_img=background,
            cut_coords=cut,
            threshold=limit / 20,
            vmax=limit,
            symmetric_cmap=True,
            cmap=DIVERGING,
            opacity=0.8,
            black_bg=False,
            title=title,
            colorbar=True,
        ).get_standalone()
        if len(page) < LARGEST_PAGE:
            return page
    raise CounterwarpError(
        f"the viewer's page of {title} has {len(page)} bytes; the report shows at most {LARGEST_PAGE}"
    )
