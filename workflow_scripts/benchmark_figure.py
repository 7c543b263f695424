"""Draw the 2-D benchmark as Figure 3 of Liu et al. 2021."""

import numpy as np
import pandas as pd
from counterwarp.figures.benchmark import benchmark_figure
from counterwarp.figures.style import save
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    with np.load(inputs.patterns) as patterns:
        figure = benchmark_figure(
            pd.read_csv(inputs.index, sep="\t"),
            {name: np.load(getattr(inputs, name), mmap_mode="r") for name in ("images", "simulated", "cycled")},
            dict(patterns),
            pd.read_csv(inputs.methods, sep="\t", dtype={"seed": str}),
            snakemake.params.method,
        )
    save(figure, outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
