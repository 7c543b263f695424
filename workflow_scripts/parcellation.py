"""Write the regions of the template."""

from counterwarp.imaging.io import read_volume
from counterwarp.imaging.parcellation import (
    desikan_regions,
    mni152_regions,
    sri24_regions,
    with_affected,
    write_parcellation,
)
from counterwarp.workflow import cohort_step


def write(inputs, outputs):
    params, template = snakemake.params, read_volume(inputs.template_mask)
    if inputs.files:
        found = sri24_regions(template, inputs.files)
    else:
        found = mni152_regions(template, params.regions) if params.regions else desikan_regions(template)
    if params.planted:
        found = with_affected(found, params.planted)
    write_parcellation(found, params.space, outputs.labels, outputs.label_table)


cohort_step(snakemake, write)
