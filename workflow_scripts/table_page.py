"""Show one table as a page of the report."""

from pathlib import Path

import pandas as pd
from counterwarp.figures.tables import table_page
from counterwarp.workflow import cohort_step


def write(inputs, outputs):
    table = pd.read_csv(inputs.table, sep="\t", dtype={"scan": str, "seed": str})
    Path(outputs.page).write_text(table_page(snakemake.wildcards.table, table))


cohort_step(snakemake, write)
