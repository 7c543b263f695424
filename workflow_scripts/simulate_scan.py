"""Simulate one scan of the demo with its truth."""

from counterwarp.cohorts.demo import ScanSettings, write_scan
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: write_scan(
        ScanSettings(**snakemake.params.settings),
        inputs.phantom,
        outputs.image,
        outputs.log_jacobian,
        outputs.mask,
        outputs.truth,
    ),
)
