"""One array of all usable films of the cohort."""

import pandas as pd
from counterwarp.imaging.films import FilmGrid
from counterwarp.imaging.pack import pack_films
from counterwarp.workflow import cohort_step, without_failures

cohort_step(
    snakemake,
    lambda inputs, outputs: pack_films(
        pd.read_csv(inputs.labels, sep="\t", dtype={"scan": str, "subject": str}),
        without_failures(snakemake.params.scans, inputs.films),
        FilmGrid(**snakemake.params.grid),
        **vars(outputs),
    ),
)
