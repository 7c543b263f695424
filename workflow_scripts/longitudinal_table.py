"""Compare what every method predicts with what two scans of a subject show."""

import numpy as np
from counterwarp.stats.longitudinal import compare, score_methods, summarise
from counterwarp.workflow import cohort_step


def write(inputs, outputs):
    params = snakemake.params
    jobs = [(method, str(seed)) for method, seed in params.jobs]
    changes = {job: np.load(path, mmap_mode="r") for job, path in zip(jobs, inputs.changes, strict=True)}
    truth = np.load(inputs.truth, mmap_mode="r") if inputs.truth else None
    with np.load(inputs.pairs) as pairs:
        scores = score_methods(changes, dict(pairs), truth)
    scores.to_csv(outputs.pairs, sep="\t", index=False)
    tested = scores[scores["split"] == "test"]
    summarise(tested, params.seed).to_csv(outputs.methods, sep="\t", index=False)
    compare(tested, params.seed).to_csv(outputs.order, sep="\t", index=False)


cohort_step(snakemake, write)
