"""Find the brain of one scan."""

from counterwarp.imaging.strip import strip
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: strip(
        inputs.image,
        outputs.mask,
        outputs.sidecar,
        snakemake.params.engine,
        snakemake.params.seed,
        snakemake.params.bet_fraction,
        getattr(inputs, "head", ""),
        getattr(inputs, "head_mask", ""),
        getattr(inputs, "given", ""),
        snakemake.params.or_none,
    ),
)
