"""Add up what every rule cost, from the logs beside this job's own."""

from pathlib import Path

from counterwarp.stats.cost import collect_costs
from counterwarp.workflow import cohort_step

cohort_step(
    snakemake,
    lambda _, outputs: collect_costs(Path(snakemake.log[0]).parent).to_csv(outputs.cost, sep="\t", index=False),
)
