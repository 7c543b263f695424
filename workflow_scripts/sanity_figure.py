"""Draw how the maps of each method change when the classifier loses what it has learned."""

import pandas as pd
from counterwarp.figures.sanity import sanity_figure
from counterwarp.figures.style import save
from counterwarp.workflow import cohort_step

cohort_step(
    snakemake,
    lambda inputs, outputs: save(sanity_figure(pd.read_csv(inputs.table, sep="\t")), outputs.png, outputs.pdf),
)
