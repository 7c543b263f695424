"""Gather the quality of every scan: one table, and the pictures for the report."""

import json
from pathlib import Path

from counterwarp.figures.qc import qc_table, save_pictures
from counterwarp.workflow import cohort_step, read_failure


def gather(inputs, outputs):
    records, pictures, failed = {}, {}, {}
    for scan, numbers, picture in zip(snakemake.params.scans, inputs.numbers, inputs.pictures, strict=True):
        failure = read_failure(numbers)
        if failure:
            failed[scan] = failure["rule"]
        else:
            records[scan] = json.loads(Path(numbers).read_text())
            pictures[scan] = Path(picture)
    table = qc_table(records, failed)
    table.to_csv(outputs.table, sep="\t", index=False)
    save_pictures(table, pictures, Path(outputs.pictures), snakemake.params.most)


cohort_step(snakemake, gather)
