"""Draw the images of a 2-D benchmark, their truth and their splits."""

import numpy as np
from counterwarp.cohorts import gaussians, toy
from counterwarp.workflow import cohort_step

DRAW = {"gaussians": gaussians.draw, "toy": toy.draw}


def write(_, outputs):
    params = snakemake.params
    drawn = DRAW[params.source](**params.settings, seed=params.seed)
    np.save(outputs.images, drawn.images.astype(np.float16))
    np.save(outputs.truth, drawn.truth)
    np.save(outputs.mask, np.ones(drawn.images.shape[1:], bool))
    drawn.index.to_csv(outputs.index, sep="\t", index=False)


cohort_step(snakemake, write)
