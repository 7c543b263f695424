"""List every scan that failed, where, why, and the command that tries again."""

import pandas as pd
from counterwarp.workflow import cohort_step, read_failure, rerun_in

COLUMNS = ["scan", "rule", "reason", "rerun"]


def collect(inputs, outputs):
    found = [record for path in inputs.last if (record := read_failure(path))]
    records = [record | {"rerun": rerun_in(f"results/{snakemake.params.experiment}", record)} for record in found]
    table = pd.DataFrame(records, columns=COLUMNS).drop_duplicates(["scan", "rule"]).sort_values(["scan", "rule"])
    table["rerun"] = [f"{snakemake.params.command} {rerun}" for rerun in table["rerun"]]
    table.to_csv(outputs.failures, sep="\t", index=False)


cohort_step(snakemake, collect)
