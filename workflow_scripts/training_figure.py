"""Draw how the generators' trainings went."""

import pandas as pd
from counterwarp.figures.adversarial import training_figure
from counterwarp.figures.style import save
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    histories = {}
    for method, path in zip(snakemake.params.methods, inputs.histories, strict=True):
        histories.setdefault(method, []).append(pd.read_csv(path, sep="\t"))
    save(training_figure(histories), outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
