"""Score the classifier of every seed on every split, a subject's first scan in a group, with intervals."""

import logging

import pandas as pd
from counterwarp.stats.intervals import score_splits
from counterwarp.stats.verdict import verdict, warning
from counterwarp.tsv import read_tsv
from counterwarp.workflow import cohort_step

LOG = logging.getLogger("counterwarp")


def score(inputs, outputs):
    seeds = []
    for seed, path, index in zip(snakemake.params.seeds, inputs.logits, inputs.index, strict=True):
        scans = read_tsv(index)
        logits = pd.read_csv(path, sep="\t").assign(seed=seed)
        firsts = scans.drop_duplicates(["subject", "group"])
        seeds.append(logits.merge(firsts.drop(columns="row"), on="scan"))
    first = pd.concat(seeds)
    first[["seed", "scan", "group", "split", "logit"]].to_csv(outputs.logits, sep="\t", index=False)
    score_splits(first).to_csv(outputs.scores, sep="\t", index=False)
    found = verdict(first)
    found.to_csv(outputs.verdict, sep="\t", index=False)
    if warning(found):
        LOG.warning("%s", warning(found))


cohort_step(snakemake, score)
