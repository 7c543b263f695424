"""List who is not used, and why."""

import json
from pathlib import Path

import pandas as pd
from counterwarp.cohorts.exclusions import exclusions, read_listed
from counterwarp.workflow import cohort_step, read_failure


def collect(inputs, outputs):
    params = snakemake.params
    failed, flags = {}, {}
    for scan, path in zip(params.scans, inputs.numbers, strict=True):
        failure = read_failure(path)
        if failure:
            failed[scan] = failure
        else:
            flags[scan] = json.loads(Path(path).read_text())["flags"]
    listed = read_listed(inputs.listed, params.scans) if inputs.listed else {}
    left_out = pd.read_csv(inputs.left_out, sep="\t", dtype=str, keep_default_na=False)
    exclusions(left_out, flags, failed, listed, params.exclude).to_csv(outputs.table, sep="\t", index=False)


cohort_step(snakemake, collect)
