"""Show one table as a page of the report."""

from pathlib import Path

from counterwarp.figures.tables import table_page
from counterwarp.tsv import read_tsv
from counterwarp.workflow import cohort_step


def write(inputs, outputs):
    table = read_tsv(inputs.table, "seed")
    Path(outputs.page).write_text(table_page(snakemake.wildcards.table, table))


cohort_step(snakemake, write)
