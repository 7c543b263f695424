"""Draw what simulators and tensor-based morphometry find, what is significant outlined."""

import nibabel
import numpy as np
import pandas as pd
from counterwarp.figures.group import group_figure
from counterwarp.figures.style import save
from counterwarp.stats.voxelwise import SIGNIFICANT
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    template = nibabel.load(inputs.template)

    def read(path):
        return nibabel.load(path).get_fdata()

    analyses = snakemake.params.analyses
    table = pd.read_csv(inputs.table, sep="\t").set_index("analysis")
    figure = group_figure(
        dict(zip(analyses, map(read, inputs.effects), strict=True)),
        read(inputs.truth) if inputs.truth else None,
        template.get_fdata(),
        read(inputs.mask),
        template.affine,
        regions={
            analysis: read(path) > -np.log10(SIGNIFICANT) for analysis, path in zip(analyses, inputs.logp, strict=True)
        },
    )
    agree = [
        f"{name} and tbm: NCC {table.ncc_reference[name]:.2f}, Dice {table.dice_reference[name]:.2f}"
        for name in analyses
        if name != "tbm"
    ]
    figure.suptitle("\n".join(agree), fontsize=9)
    save(figure, outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
