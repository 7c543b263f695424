"""Draw the regional volumes of both groups, corrected for the covariates."""

import pandas as pd
from counterwarp.figures.regions import regions_figure
from counterwarp.figures.style import save
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    adjusted, regions = pd.read_csv(inputs.adjusted, sep="\t"), pd.read_csv(inputs.regions, sep="\t")
    params = snakemake.params
    save(regions_figure(adjusted, regions, params.covariates, params.space), outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
