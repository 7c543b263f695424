"""Write the methods paragraph, its references, engines and the versions that ran."""

from pathlib import Path

import pandas as pd
from counterwarp.figures.about import about_page
from counterwarp.imaging.io import read_sidecar
from counterwarp.tsv import read_tsv
from counterwarp.workflow import cohort_step, read_failure


def write(inputs, outputs):
    scans = read_tsv(inputs.index[0])
    if inputs.people:
        # The views, by which films are chosen, are in this table alone.
        people = pd.read_csv(inputs.people, sep="\t", dtype=str)
        scans = scans.merge(people[["scan", *people.columns.difference(scans.columns)]], on="scan")
    preprocessed = next((path for path in getattr(inputs, "preprocessed", []) if read_failure(path) is None), None)
    engines = read_sidecar(preprocessed)["Engines"] if preprocessed else {}
    Path(outputs.page).write_text(about_page(snakemake.params.config, scans, engines))


cohort_step(snakemake, write)
