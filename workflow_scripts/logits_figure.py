"""Draw the logits of raw, simulated and cycled test scans."""

import pandas as pd
from counterwarp.figures.logits import logits_figure
from counterwarp.figures.style import save
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    logits = pd.read_csv(inputs.logits, sep="\t")
    logits = logits[logits["seed"] == snakemake.params.seed]
    labels = pd.read_csv(inputs.labels, sep="\t", dtype=str)
    tested = labels[labels["split"] == "test"]
    figure = logits_figure(logits[logits["scan"].isin(tested["scan"])], tested.set_index("scan")["group"].to_dict())
    save(figure, outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
