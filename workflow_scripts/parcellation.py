"""Write the regions of the template."""

from counterwarp.imaging.io import read_volume
from counterwarp.imaging.parcellation import mni152_regions, sri24_regions, write_parcellation
from counterwarp.workflow import cohort_step


def write(inputs, outputs):
    params, template = snakemake.params, read_volume(inputs.template_mask)
    found = sri24_regions(template, inputs.files) if inputs.files else mni152_regions(template, params.regions)
    write_parcellation(found, params.space, outputs.labels, outputs.label_table)


cohort_step(snakemake, write)
