"""What changed between two scans of a subject."""

from counterwarp.imaging.longitudinal import Scan, observed_change
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: observed_change(
        Scan(inputs.earlier, inputs.earlier_mask, inputs.earlier_transform),
        Scan(inputs.later, inputs.later_mask, inputs.later_transform),
        inputs.template_mask,
        snakemake.params.network_shape,
        snakemake.params.network_voxel_mm,
        snakemake.params.network_cut_mm,
        snakemake.params.intensity,
        outputs.change,
        outputs.mask,
        outputs.sidecar,
        snakemake.params.seed,
        snakemake.params.space,
    ),
)
