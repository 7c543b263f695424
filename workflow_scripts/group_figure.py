"""Draw the mean group map of all seeds of a method over the template, beside the true one."""

import nibabel
import numpy as np
from counterwarp.figures.group import group_figure
from counterwarp.figures.style import save
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    template = nibabel.load(inputs.template)
    figure = group_figure(
        np.mean([nibabel.load(path).get_fdata() for path in inputs.maps], axis=0),
        nibabel.load(inputs.truth).get_fdata() if inputs.truth else None,
        template.get_fdata(),
        nibabel.load(inputs.mask).get_fdata(),
        template.affine,
        title=snakemake.wildcards.method,
        is_change=snakemake.params.is_change,
    )
    save(figure, outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
