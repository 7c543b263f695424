"""Register one brain to the template by an affine, and bring it there."""

from counterwarp.imaging.register import register
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: register(
        inputs.image,
        inputs.mask,
        inputs.template,
        outputs.transform,
        outputs.transform_sidecar,
        outputs.image,
        outputs.image_sidecar,
        outputs.mask,
        outputs.mask_sidecar,
        snakemake.params.seed,
        snakemake.params.space,
    ),
)
