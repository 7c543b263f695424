"""Average of the maps of one method and seed over a split's baseline scans, on the template."""

import pandas as pd
from counterwarp.imaging.group import group_map
from counterwarp.imaging.io import read_sidecar
from counterwarp.workflow import cohort_step, without_failures


def average(inputs, outputs):
    warps = without_failures(snakemake.params.scans, inputs.warps)
    index = pd.read_csv(inputs.index, sep="\t", dtype=str)
    usable = [i for i, scan in enumerate(index.scan) if scan in warps]
    group_map(
        inputs.maps,
        usable,
        [warps[index.scan[i]] for i in usable],
        read_sidecar(inputs.affine),
        inputs.template_mask,
        outputs.image,
        snakemake.params.space,
    )


cohort_step(snakemake, average)
