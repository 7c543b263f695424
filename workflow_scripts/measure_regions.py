"""Volumes of the template's regions in one scan."""

from counterwarp.imaging.regions import TISSUES, measure_scan
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: measure_scan(
        inputs.inverse,
        {tissue: getattr(inputs, tissue) for tissue in TISSUES},
        inputs.transform_sidecar,
        inputs.labels,
        inputs.label_table,
        inputs.template_mask,
        outputs.volumes,
    ),
)
