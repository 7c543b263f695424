"""Find the brain of one scan."""

from counterwarp.imaging.strip import strip
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: strip(
        inputs.image, inputs.head, inputs.head_mask, outputs.mask, outputs.sidecar, snakemake.params.seed
    ),
)
