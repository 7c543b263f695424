"""Plant the disease in one scan, and write the truth beside it."""

from counterwarp.imaging.plant import Draw, plant
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: plant(vars(inputs), vars(outputs), Draw(**snakemake.params.draw)),
)
