"""One array of all usable scans of the cohort, and why the others are not in it."""

import pandas as pd
from counterwarp.cohorts.exclusions import not_used
from counterwarp.imaging.pack import pack
from counterwarp.tsv import read_tsv
from counterwarp.workflow import cohort_step, not_used_record, read_failure


def write(inputs, outputs):
    out, images, left_out = not_used(inputs.excluded), {}, []
    for scan, path in zip(snakemake.params.scans, inputs.images, strict=True):
        failure = read_failure(path) or (not_used_record(scan) if scan in out else None)
        if failure:
            left_out.append(failure)
        else:
            images[scan] = path
    pd.DataFrame(left_out, columns=["scan", "rule", "reason", "rerun"]).to_csv(outputs.left_out, sep="\t", index=False)
    pack(
        read_tsv(inputs.labels),
        images,
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
