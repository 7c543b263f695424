"""Denoise one scan and take off its bias field."""

from counterwarp.imaging.bias import correct_bias
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: correct_bias(inputs.image, outputs.image, snakemake.params.denoise),
)
