"""Write the methods paragraph, its references, engines and the versions that ran."""

from pathlib import Path

import pandas as pd
from counterwarp.figures.methods_text import about_page
from counterwarp.imaging.io import read_sidecar
from counterwarp.workflow import cohort_step, read_failure


def write(inputs, outputs):
    scans = pd.read_csv(inputs.index[0], sep="\t", dtype={"subject": str})
    preprocessed = next((path for path in getattr(inputs, "preprocessed", []) if read_failure(path) is None), None)
    engines = read_sidecar(preprocessed)["Engines"] if preprocessed else {}
    Path(outputs.page).write_text(about_page(snakemake.params.config, scans, engines))


cohort_step(snakemake, write)
