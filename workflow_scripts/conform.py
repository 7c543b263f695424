"""Conform one scan: orientation, agreeing headers, finite values, field of view."""

from counterwarp.imaging.conform import conform
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: conform(
        inputs.image, outputs.image, outputs.sidecar, snakemake.params.minimum_fov, snakemake.params.engine
    ),
)
