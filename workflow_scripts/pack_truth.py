"""The true maps of all packed scans in one array."""

import pandas as pd
from counterwarp.imaging.pack import pack_truth
from counterwarp.workflow import cohort_step

cohort_step(
    snakemake,
    lambda inputs, outputs: pack_truth(
        pd.read_csv(inputs.index, sep="\t", dtype=str).scan,
        dict(zip(snakemake.params.scans, inputs.maps, strict=True)),
        dict(zip(snakemake.params.scans, inputs.transforms, strict=True)),
        inputs.affine,
        snakemake.params.network_shape,
        outputs.truth,
    ),
)
