"""Write the methods paragraph, its references and the versions that ran."""

from pathlib import Path

import pandas as pd
from counterwarp.figures.methods_text import about_page
from counterwarp.workflow import cohort_step


def write(inputs, outputs):
    scans = pd.read_csv(inputs.index[0], sep="\t", dtype={"subject": str})
    Path(outputs.page).write_text(about_page(snakemake.params.config, scans))


cohort_step(snakemake, write)
