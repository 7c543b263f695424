"""Write the standard head and brain, the parcellation, and what the simulation of scans starts from."""

from counterwarp.cohorts.demo import write_phantom, write_templates
from counterwarp.workflow import cohort_step


def write(_, outputs):
    regions = snakemake.params.regions
    write_phantom(regions, outputs.phantom)
    write_templates(
        snakemake.params.resolution_mm,
        regions,
        outputs.head,
        outputs.head_mask,
        outputs.brain,
        outputs.brain_mask,
        outputs.labels,
        outputs.label_table,
    )


cohort_step(snakemake, write)
