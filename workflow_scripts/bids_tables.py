"""Write the texts and tables that make the simulated scans a BIDS dataset."""

from counterwarp.cohorts.demo import write_bids_tables
from counterwarp.cohorts.table import read
from counterwarp.workflow import cohort_step

cohort_step(snakemake, lambda inputs, outputs: write_bids_tables(read(inputs.scans), **vars(outputs)))
