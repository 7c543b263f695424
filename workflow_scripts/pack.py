"""One array of all usable scans of the cohort."""

import pandas as pd
from counterwarp.imaging.pack import pack
from counterwarp.workflow import cohort_step, read_failure

cohort_step(
    snakemake,
    lambda inputs, outputs: pack(
        pd.read_csv(inputs.labels, sep="\t", dtype={"scan": str, "subject": str}),
        {
            scan: path
            for scan, path in zip(snakemake.params.scans, inputs.images, strict=True)
            if read_failure(path) is None
        },
        inputs.template_mask,
        snakemake.params.network_shape,
        snakemake.params.network_voxel_mm,
        outputs.images,
        outputs.index,
        outputs.mask,
        outputs.affine,
    ),
)
