"""Find the way from one scan, as it came, to the template."""

from counterwarp.imaging.plant import locate
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: locate(
        inputs.image,
        getattr(inputs, "head", ""),
        getattr(inputs, "head_mask", ""),
        getattr(inputs, "given", ""),
        inputs.template,
        vars(outputs),
        snakemake.params.settings,
    ),
)
