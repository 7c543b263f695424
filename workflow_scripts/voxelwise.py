"""Voxelwise inference on the subjects' maps of one method, or on their volumes (tensor-based morphometry)."""

import numpy as np
import pandas as pd
from counterwarp.cohorts.table import read
from counterwarp.imaging.io import read_sidecar
from counterwarp.imaging.subjects import carried_maps, volume_maps, write_voxels
from counterwarp.stats.formula import HEAD_SIZE, without
from counterwarp.stats.voxelwise import infer
from counterwarp.workflow import cohort_step, without_failures


def test(inputs, outputs):
    params = snakemake.params
    warps = without_failures(params.scans, inputs.warps)
    index = pd.read_csv(inputs.index, sep="\t", dtype={"scan": str})
    index = index[index["scan"].isin(warps)]
    used = [warps[scan] for scan in index["scan"]]
    if inputs.maps:
        affine = np.array(read_sidecar(inputs.affine))
        maps, mask = carried_maps(inputs.maps, list(index["row"]), used, affine, inputs.template_mask)
    else:
        maps, mask = volume_maps(used, inputs.template_mask)
    scans = read(inputs.scans).set_index("scan").loc[index["scan"]]
    found = infer(
        maps,
        scans,
        without(params.formula, HEAD_SIZE),
        params.tested,
        params.permutations,
        params.seed,
        jobs=snakemake.threads,
    )
    write_voxels(found.effect, mask, outputs.effect, snakemake.params.space)
    write_voxels(found.t, mask, outputs.t, snakemake.params.space)
    write_voxels(-np.log10(found.p), mask, outputs.logp, snakemake.params.space)


cohort_step(snakemake, test)
