"""Score simple models on the subjects on which the classifier is tested."""

import numpy as np
from counterwarp.arrays import Rows
from counterwarp.stats.baselines import baseline_scores
from counterwarp.tsv import read_tsv
from counterwarp.workflow import cohort_step


def score(inputs, outputs):
    index = read_tsv(inputs.index)
    covariates = list(snakemake.params.covariates)
    people = read_tsv(inputs.people)
    first = index.drop_duplicates(["subject", "group"])
    scans = first.merge(people[["scan", *covariates]], on="scan", how="left")
    images = Rows(np.load(inputs.images, mmap_mode="r"), first["row"].to_numpy())[:]
    baseline_scores(images, scans, covariates).to_csv(outputs.table, sep="\t", index=False)


cohort_step(snakemake, score)
