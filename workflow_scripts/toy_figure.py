"""Draw what every method finds in the toy benchmark of DeFI-GAN."""

import numpy as np
import pandas as pd
from counterwarp.figures.adversarial import toy_figure
from counterwarp.figures.style import save
from counterwarp.workflow import cohort_step

SHOWN = 3


def draw(inputs, outputs):
    index = pd.read_csv(inputs.index, sep="\t")
    rows = index.query("split == 'test' and group == 'patient'")["row"].to_numpy()[:SHOWN]
    changes = {
        method: np.load(path, mmap_mode="r")[rows].astype(np.float32)
        for method, path in zip(snakemake.params.changing, inputs.changes, strict=True)
    }
    figure = toy_figure(
        np.load(inputs.images, mmap_mode="r")[rows].astype(np.float32),
        np.load(inputs.truth, mmap_mode="r")[rows],
        changes,
        np.load(inputs.displacement, mmap_mode="r")[rows[0]].astype(np.float32),
        pd.read_csv(inputs.table, sep="\t", dtype={"seed": str}),
        snakemake.params.methods,
    )
    save(figure, outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
