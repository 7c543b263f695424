"""Compare every method and seed with the truth, and collect the logits of their simulations."""

import numpy as np
from counterwarp.stats.evaluate import Explained, Truth, evaluate
from counterwarp.tsv import read_tsv
from counterwarp.workflow import cohort_step


def compare(inputs, outputs):
    params = snakemake.params
    quality = dict(zip(params.simulations, inputs.quality, strict=True))
    explained = [
        Explained(method, int(seed), maps, logits, group_map, quality.get(f"{method}/seed-{seed}"))
        for (method, seed), maps, logits, group_map in zip(
            (job.split("/seed-") for job in params.jobs), inputs.maps, inputs.logits, inputs.groups, strict=True
        )
    ]
    truth = None
    if inputs.truth:
        truth = Truth(inputs.truth, inputs.group_truth, inputs.template_mask, inputs.labels, inputs.label_table)
    index = read_tsv(inputs.index)
    tables = evaluate(explained, index, np.load(inputs.mask), truth)
    tables.subjects.to_csv(outputs.subjects, sep="\t", index=False)
    tables.methods.to_csv(outputs.methods, sep="\t", index=False)
    tables.changes.to_csv(outputs.changes, sep="\t", index=False)
    tables.logits.to_csv(outputs.logits, sep="\t", index=False)


cohort_step(snakemake, compare)
