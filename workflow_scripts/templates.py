"""Write the standard head, and what the simulation of scans starts from."""

from counterwarp.cohorts.demo import write_head, write_phantom
from counterwarp.workflow import cohort_step


def write(_, outputs):
    write_phantom(snakemake.params.regions, outputs.phantom)
    write_head(outputs.head, outputs.head_mask)


cohort_step(snakemake, write)
