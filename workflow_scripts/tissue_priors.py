"""Where grey matter, white matter and CSF lie in the template."""

from counterwarp.imaging.segment import write_priors
from counterwarp.workflow import cohort_step

cohort_step(
    snakemake,
    lambda inputs, outputs: write_priors(inputs.template_mask, snakemake.params.resolution_mm, vars(outputs)),
)
