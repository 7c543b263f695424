"""List what every job cost, add it up by rule, and each method's time per scan, from the logs beside this job's own."""

from pathlib import Path

from counterwarp.stats.cost import collect_costs, collect_jobs, collect_speeds
from counterwarp.workflow import cohort_step


def tabulate(_, outputs):
    logs = Path(snakemake.log[0]).parent
    collect_jobs(logs).to_csv(outputs.jobs, sep="\t", index=False)
    collect_costs(logs).to_csv(outputs.cost, sep="\t", index=False)
    collect_speeds(logs).to_csv(outputs.speed, sep="\t", index=False)


cohort_step(snakemake, tabulate)
