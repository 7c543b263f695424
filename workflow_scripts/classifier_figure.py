"""Draw the ROC curve, the confusion and the scores of the classifier."""

import pandas as pd
from counterwarp.figures.classifier import classifier_figure
from counterwarp.figures.style import save
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    logits = pd.read_csv(inputs.logits, sep="\t")
    figure = classifier_figure(logits[logits["split"] == "test"], pd.read_csv(inputs.scores, sep="\t"))
    save(figure, outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
