"""Compare every method of a 2-D benchmark with the truth, over seeds."""

import numpy as np
import pandas as pd
from counterwarp.stats.benchmark import compare_order, group_patterns, score
from counterwarp.workflow import cohort_step


def compare(inputs, outputs):
    params = snakemake.params
    indices = {seed: pd.read_csv(path, sep="\t") for seed, path in zip(params.seeds, inputs.index, strict=True)}
    truths = {seed: np.load(path) for seed, path in zip(params.seeds, inputs.truth, strict=True)}
    jobs = {
        (method, seed): (np.load(maps), pd.read_csv(logits, sep="\t"))
        for (method, seed), maps, logits in zip(params.jobs, inputs.maps, inputs.logits, strict=True)
    }
    table = score(jobs, indices, truths, params.groups)
    table.to_csv(outputs.methods, sep="\t", index=False)
    compare_order(table).to_csv(outputs.order, sep="\t", index=False)
    with open(outputs.patterns, "wb") as file:
        np.savez(file, **group_patterns(jobs, indices, truths, params.groups))


cohort_step(snakemake, compare)
