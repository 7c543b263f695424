"""Picture and numbers by which one scan's preprocessing is judged."""

import json
from pathlib import Path

from counterwarp.figures.scan_check import save_scan_check, scan_check
from counterwarp.imaging.io import read_volume
from counterwarp.imaging.qc import measure
from counterwarp.workflow import scan_step


def check(inputs, outputs):
    numbers = measure(
        inputs.corrected,
        inputs.mask,
        inputs.transform_sidecar,
        inputs.template,
        inputs.template_mask,
        inputs.conform_sidecar,
        getattr(inputs, "true_mask", None),
        getattr(inputs, "truth", None),
    )
    Path(outputs.numbers).write_text(json.dumps(numbers, indent=1))
    files = (inputs.image, inputs.mask, inputs.preprocessed, inputs.template, inputs.template_mask)
    save_scan_check(scan_check(snakemake.wildcards.scan, *map(read_volume, files), numbers), outputs.figure)


scan_step(snakemake, check)
