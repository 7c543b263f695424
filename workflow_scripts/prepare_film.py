"""Cut, resize and equalise one film."""

from counterwarp.imaging.films import prepare_film
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: prepare_film(inputs.film, outputs.image, outputs.sidecar, snakemake.params.edge),
)
