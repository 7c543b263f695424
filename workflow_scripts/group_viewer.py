"""Make the page in which the group map of a method can be clicked through."""

from pathlib import Path

import nibabel
import numpy as np
from counterwarp.figures.viewer import viewer_page
from counterwarp.workflow import cohort_step


def write(inputs, outputs):
    template = nibabel.load(inputs.template)
    mean = np.mean([nibabel.load(path).get_fdata() for path in inputs.maps], axis=0)
    page = viewer_page(
        nibabel.Nifti1Image(mean, template.affine), template, nibabel.load(inputs.mask), snakemake.params.title
    )
    Path(outputs.page).write_text(page)


cohort_step(snakemake, write)
