"""Say what the folder of derivatives is, as BIDS asks."""

from counterwarp.imaging.io import write_dataset_description
from counterwarp.workflow import cohort_step

cohort_step(
    snakemake,
    lambda _, outputs: write_dataset_description(outputs.description, "Counterwarp: preprocessed scans and their maps"),
)
