"""Bring one preprocessed brain to the network's grid and scale."""

from counterwarp.imaging.normalise import normalise
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: normalise(
        inputs.image,
        inputs.mask,
        inputs.template_mask,
        outputs.image,
        outputs.sidecar,
        snakemake.params.network_shape,
        snakemake.params.network_voxel_mm,
        snakemake.params.network_cut_mm,
        snakemake.params.intensity,
        snakemake.params.space,
    ),
)
