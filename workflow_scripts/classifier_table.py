"""Score the classifier of every seed on every split, a subject's first scan in a group, with intervals."""

import logging

import pandas as pd
from counterwarp.cohorts.folds import split_column
from counterwarp.stats import ALL
from counterwarp.stats.intervals import score_splits, with_log_odds
from counterwarp.stats.verdict import verdict, warning
from counterwarp.tsv import read_tsv
from counterwarp.workflow import cohort_step

LOG = logging.getLogger("counterwarp")


def score(inputs, outputs):
    params, networks = snakemake.params, []
    for seed, fold, path, index in zip(params.seeds, params.folds, inputs.logits, inputs.index, strict=True):
        scans = read_tsv(index)
        scans["split"] = scans[split_column(fold)]
        logits = pd.read_csv(path, sep="\t").assign(seed=seed, fold=fold or ALL)
        firsts = scans.drop_duplicates(["subject", "group"])
        networks.append(logits.merge(firsts.drop(columns="row"), on="scan"))
    first = with_log_odds(pd.concat(networks))
    columns = ["seed", "fold", "scan", "group", "split", "logit", "log_odds"]
    first[columns].to_csv(outputs.logits, sep="\t", index=False)
    score_splits(first).to_csv(outputs.scores, sep="\t", index=False)
    found = verdict(first)
    found.to_csv(outputs.verdict, sep="\t", index=False)
    if warning(found):
        LOG.warning("%s", warning(found))


cohort_step(snakemake, score)
