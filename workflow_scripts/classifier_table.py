"""Score the classifier of every seed on every split, one scan a subject, with intervals."""

import pandas as pd
from counterwarp.stats.intervals import score_splits
from counterwarp.workflow import cohort_step


def score(inputs, outputs):
    index = pd.read_csv(inputs.index, sep="\t", dtype={"subject": str})
    jobs = zip(inputs.logits, snakemake.params.seeds, strict=True)
    logits = pd.concat([pd.read_csv(path, sep="\t").assign(seed=seed) for path, seed in jobs])
    first = logits.merge(index[index["baseline"]].drop(columns="row"), on="scan")
    first[["seed", "scan", "group", "split", "logit"]].to_csv(outputs.logits, sep="\t", index=False)
    score_splits(first).to_csv(outputs.scores, sep="\t", index=False)


cohort_step(snakemake, score)
