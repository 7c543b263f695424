"""Gather the volumes of the template's regions of every baseline scan: one table."""

import csv

from counterwarp.cohorts.exclusions import not_used
from counterwarp.imaging.regions import COLUMNS
from counterwarp.workflow import cohort_step, without_failures


def gather(inputs, outputs):
    out = not_used(inputs.excluded)
    subjects = dict(zip(snakemake.params.scans, snakemake.params.subjects, strict=True))
    measured = without_failures(snakemake.params.scans, inputs.volumes)
    with open(outputs.volumes, "w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["scan", "subject", *COLUMNS])
        for scan, path in measured.items():
            if scan not in out:
                with open(path, newline="") as volumes:
                    rows = csv.reader(volumes, delimiter="\t")
                    next(rows)
                    writer.writerows([scan, subjects[scan], *row] for row in rows)


cohort_step(snakemake, gather)
