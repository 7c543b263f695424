"""Draw the regional volumes of both groups, corrected for the covariates."""

import pandas as pd
from counterwarp.figures.regions import regions_figure
from counterwarp.figures.style import save
from counterwarp.imaging.parcellation import of_several
from counterwarp.stats.formula import columns_of
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    adjusted, regions = pd.read_csv(inputs.adjusted, sep="\t"), pd.read_csv(inputs.regions, sep="\t")
    params, first = snakemake.params, of_several(pd.read_csv(inputs.label_table, sep="\t"))
    where = f"in {params.space} space (head size normalised)" if params.volumes == "normalised" else "of the scanner"
    save(regions_figure(adjusted, regions, columns_of(params.formula), where, first), outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
