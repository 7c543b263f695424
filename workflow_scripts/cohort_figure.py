"""Draw and tabulate who was scanned."""

from counterwarp.cohorts.table import read
from counterwarp.figures.cohort import cohort_figure, cohort_table
from counterwarp.figures.style import save
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    scans = read(inputs.scans)
    cohort_table(scans).to_csv(outputs.table, sep="\t", index=False)
    save(cohort_figure(scans), outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
