"""Write the template and its tissues."""

from counterwarp.imaging.atlas import mni152, sri24, write_atlas
from counterwarp.workflow import cohort_step


def write(inputs, outputs):
    resolution_mm = snakemake.params.resolution_mm
    atlas = sri24(inputs.files, resolution_mm) if inputs.files else mni152(resolution_mm)
    write_atlas(atlas, snakemake.params.space, vars(outputs))


cohort_step(snakemake, write)
