"""The true changes of all pairs of scans in one array."""

import numpy as np
from counterwarp.imaging.pack import pack_truth
from counterwarp.workflow import cohort_step


def write(inputs, outputs):
    scans = snakemake.params.scans
    with np.load(inputs.pairs) as pairs:
        pack_truth(
            pairs["later"],
            dict(zip(scans, inputs.changes, strict=True)),
            dict(zip(scans, inputs.transforms, strict=True)),
            inputs.affine,
            snakemake.params.network_shape,
            outputs.changes,
        )


cohort_step(snakemake, write)
