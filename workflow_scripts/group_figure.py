"""Draw the group maps of some methods over the template, mean and sd over seeds, beside the true one."""

import nibabel
import numpy as np
from counterwarp.figures.group import group_figure
from counterwarp.figures.style import save
from counterwarp.stats.verdict import read_warning
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    template = nibabel.load(inputs.template)
    of_method = {}
    for method, path in zip(snakemake.params.methods, inputs.maps, strict=True):
        of_method.setdefault(method, []).append(nibabel.load(path).get_fdata())
    # Beside other methods a spread below each would hide what is compared.
    spread = {method: np.std(maps, axis=0, ddof=1) for method, maps in of_method.items() if len(maps) > 1}
    figure = group_figure(
        {method: np.mean(maps, axis=0) for method, maps in of_method.items()},
        nibabel.load(inputs.truth).get_fdata() if inputs.truth else None,
        template.get_fdata(),
        nibabel.load(inputs.mask).get_fdata(),
        template.affine,
        spread if len(of_method) == 1 else None,
    )
    save(figure, outputs.png, outputs.pdf, read_warning(inputs.verdict))


cohort_step(snakemake, draw)
