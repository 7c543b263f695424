"""Volumes of the template's regions in every baseline scan."""

from counterwarp.cohorts.exclusions import not_used
from counterwarp.imaging.regions import region_volumes
from counterwarp.workflow import cohort_step, read_failure


def measure(inputs, outputs):
    out = not_used(inputs.excluded)
    files = zip(
        snakemake.params.scans,
        snakemake.params.subjects,
        inputs.inverses,
        inputs.grey,
        inputs.white,
        inputs.csf,
        inputs.transforms,
        strict=True,
    )
    scans = [
        {
            "scan": scan,
            "subject": subject,
            "inverse": inverse,
            "GM": grey,
            "WM": white,
            "CSF": csf,
            "transform": transform,
        }
        for scan, subject, inverse, grey, white, csf, transform in files
        if scan not in out and not any(map(read_failure, (inverse, grey, white, csf)))
    ]
    region_volumes(scans, inputs.labels, inputs.label_table, inputs.template_mask, outputs.volumes)


cohort_step(snakemake, measure)
