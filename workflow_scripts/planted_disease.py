"""Draw the disease that is planted, on the template."""

from counterwarp.imaging.plant import write_disease
from counterwarp.workflow import cohort_step

cohort_step(
    snakemake,
    lambda inputs, outputs: write_disease(
        inputs.labels, inputs.label_table, inputs.template_mask, snakemake.params.regions, outputs.disease
    ),
)
