"""Write the template, its tissues and its regions."""

from counterwarp.imaging.atlas import mni152, sri24, write_atlas
from counterwarp.workflow import cohort_step


def write(inputs, outputs):
    params = snakemake.params
    atlas = sri24(inputs.files, params.resolution_mm) if inputs.files else mni152(params.resolution_mm, params.regions)
    write_atlas(atlas, params.space, vars(outputs))


cohort_step(snakemake, write)
