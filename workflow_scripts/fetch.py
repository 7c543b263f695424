"""Fetch one file of an atlas that does not come with the installation."""

from counterwarp.resources import fetch
from counterwarp.workflow import cohort_step

cohort_step(
    snakemake,
    lambda _, outputs: fetch(snakemake.wildcards.resource, snakemake.wildcards.file, outputs.file),
    shared=True,
)
