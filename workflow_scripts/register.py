"""Register one brain to the template by a linear map, and bring it there."""

from counterwarp.imaging.register import register
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: register(
        inputs.image,
        inputs.mask,
        inputs.template,
        {"conform": inputs.conform_sidecar, "strip": inputs.mask_sidecar},
        vars(outputs),
        snakemake.params.engine,
        snakemake.params.dof,
        snakemake.params.seed,
        snakemake.params.space,
    ),
)
