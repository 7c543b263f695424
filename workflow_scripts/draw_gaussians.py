"""Draw the images of the 2-D benchmark, their truth and their splits."""

import numpy as np
from counterwarp.cohorts.gaussians import draw
from counterwarp.workflow import cohort_step


def write(_, outputs):
    params = snakemake.params
    drawn = draw(
        **params.settings, validation_share=params.validation_share, test_share=params.test_share, seed=params.seed
    )
    np.save(outputs.images, drawn.images.astype(np.float16))
    np.save(outputs.truth, drawn.truth)
    np.save(outputs.mask, np.ones(drawn.images.shape[1:], bool))
    drawn.index.to_csv(outputs.index, sep="\t", index=False)


cohort_step(snakemake, write)
