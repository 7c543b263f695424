"""The true change between two scans of a subject of the demo."""

from counterwarp.cohorts.demo import ScanSettings, write_true_change
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: write_true_change(
        ScanSettings(**snakemake.params.earlier),
        ScanSettings(**snakemake.params.later),
        inputs.phantom,
        outputs.change,
    ),
)
