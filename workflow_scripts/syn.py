"""Register one brain to the template by SyN."""

from counterwarp.imaging.warp import register_nonlinear
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: register_nonlinear(
        inputs.image,
        inputs.template,
        outputs.warp,
        outputs.inverse,
        outputs.warp_sidecar,
        outputs.inverse_sidecar,
        snakemake.params.effort,
        snakemake.params.seed,
        snakemake.params.space,
    ),
)
