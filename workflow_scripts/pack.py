"""One array of all usable scans of the cohort."""

import pandas as pd
from counterwarp.cohorts.exclusions import not_used
from counterwarp.imaging.pack import pack
from counterwarp.workflow import cohort_step, without_failures


def write(inputs, outputs):
    out = not_used(inputs.exclusions)
    images = without_failures(snakemake.params.scans, inputs.images)
    pack(
        pd.read_csv(inputs.labels, sep="\t", dtype={"scan": str, "subject": str}),
        {scan: path for scan, path in images.items() if scan not in out},
        inputs.template_mask,
        snakemake.params.network_shape,
        snakemake.params.network_voxel_mm,
        snakemake.params.network_cut_mm,
        outputs.images,
        outputs.index,
        outputs.mask,
        outputs.affine,
    )


cohort_step(snakemake, write)
