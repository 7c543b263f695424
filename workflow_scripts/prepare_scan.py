"""Conform one scan, denoise it and take off its bias field."""

from counterwarp.imaging.bias import correct_bias
from counterwarp.imaging.conform import conform
from counterwarp.workflow import scan_step

params = snakemake.params


def prepare(inputs, outputs):
    conform(inputs.image, outputs.conformed, outputs.sidecar, params.minimum_fov, params.engine)
    correct_bias(outputs.conformed, outputs.corrected, params.denoise)


scan_step(snakemake, prepare)
