"""Write the methods paragraph, its references and the versions that ran."""

from pathlib import Path

from counterwarp.cohorts.table import read
from counterwarp.figures.methods_text import about_page
from counterwarp.workflow import cohort_step

cohort_step(
    snakemake,
    lambda inputs, outputs: Path(outputs.page).write_text(about_page(snakemake.params.config, read(inputs.scans))),
)
