"""One array of all usable films of the cohort."""

from counterwarp.imaging.films import FilmGrid
from counterwarp.imaging.pack import pack_films
from counterwarp.tsv import read_tsv
from counterwarp.workflow import cohort_step, without_failures

cohort_step(
    snakemake,
    lambda inputs, outputs: pack_films(
        read_tsv(inputs.labels),
        without_failures(snakemake.params.scans, inputs.films),
        FilmGrid(**snakemake.params.grid),
        **vars(outputs),
    ),
)
