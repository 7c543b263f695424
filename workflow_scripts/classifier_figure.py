"""Draw the ROC curve, the confusion and the scores of the classifier."""

import pandas as pd
from counterwarp.figures.classifier import SEEN, classifier_figure
from counterwarp.figures.style import save
from counterwarp.stats.baselines import no_better
from counterwarp.stats.verdict import warning
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    logits = pd.read_csv(inputs.logits, sep="\t")
    scores, found = (pd.read_csv(path, sep="\t") for path in (inputs.scores, inputs.verdict))
    baselines = pd.read_csv(inputs.baselines, sep="\t") if inputs.baselines else None
    figure = classifier_figure(logits[logits["split"] == "test"], scores, found, baselines)
    better = no_better(found["auc"].iloc[-1], baselines) if len(found) and baselines is not None else []
    also = f"The network is no better than simple models: {', '.join(SEEN[name] for name in better)}." if better else ""
    save(figure, outputs.png, outputs.pdf, " ".join(filter(None, [warning(found), also])))


cohort_step(snakemake, draw)
