"""Grey matter, white matter and CSF of one brain."""

from counterwarp.imaging.segment import TISSUES, segment
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: segment(
        inputs.image,
        inputs.mask,
        {tissue: getattr(outputs, tissue) for tissue in TISSUES},
        outputs.sidecar,
        snakemake.params.space,
        getattr(inputs, "inverse", ""),
        {tissue: getattr(inputs, f"prior_{tissue}") for tissue in TISSUES if getattr(inputs, f"prior_{tissue}", "")},
        snakemake.params.prior_weight,
    ),
)
