"""What changed between two films of a subject."""

from counterwarp.imaging.film_pairs import observed_film_change
from counterwarp.imaging.films import FilmGrid
from counterwarp.workflow import scan_step

scan_step(
    snakemake,
    lambda inputs, outputs: observed_film_change(
        inputs.earlier,
        inputs.later,
        FilmGrid(**snakemake.params.grid),
        outputs.change,
        outputs.mask,
        outputs.sidecar,
    ),
)
