"""List who is not used, and why."""

import json
from pathlib import Path

import pandas as pd
from counterwarp.cohorts.exclusions import exclusions, read_listed
from counterwarp.workflow import cohort_step, read_failure

NOBODY = pd.DataFrame(columns=["scan", "reason"])


def failures(paths):
    return [record for path in paths if (record := read_failure(path))]


def collect(inputs, outputs):
    params = snakemake.params
    flags = {
        scan: json.loads(Path(path).read_text())["flags"]
        for scan, path in zip(params.scans, inputs.numbers, strict=True)
        if not read_failure(path)
    }
    needed = [*inputs.images, *(inputs.numbers if params.exclude == "flagged" else [])]
    unusable = {record["scan"] for record in failures(needed)}
    failed = failures([*inputs.images, *inputs.numbers, *inputs.beside])
    listed = read_listed(inputs.listed, params.scans) if inputs.listed else {}
    left_out = pd.read_csv(inputs.left_out, sep="\t", dtype=str, keep_default_na=False) if inputs.left_out else NOBODY
    table = exclusions(left_out, flags, failed, unusable, listed, params.exclude)
    table.to_csv(outputs.table, sep="\t", index=False)


cohort_step(snakemake, collect)
