"""Draw what two scans of a subject say of every method, beside what the truth says where it is known."""

import pandas as pd
from counterwarp.figures.longitudinal import longitudinal_figure
from counterwarp.figures.style import save
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    pairs, methods = (pd.read_csv(path, sep="\t") for path in (inputs.pairs, inputs.methods))
    save(longitudinal_figure(pairs, methods), outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
