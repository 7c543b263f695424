"""Draw what simulators and generators change in patients' films, and where they move it."""

import numpy as np
import pandas as pd
from counterwarp.figures.adversarial import films_figure
from counterwarp.figures.style import save
from counterwarp.workflow import cohort_step

SHOWN = 3


def draw(inputs, outputs):
    index = pd.read_csv(inputs.index, sep="\t", dtype={"scan": str})
    patients = index.query("split == 'test' and group == 'patient'")[:SHOWN]
    rows = patients["row"].to_numpy()
    changes = {
        method: np.load(path, mmap_mode="r")[rows].astype(np.float32)
        for method, path in zip(snakemake.params.methods, inputs.changes, strict=True)
    }
    images = np.load(inputs.images, mmap_mode="r")[rows].astype(np.float32)
    displacements = {
        method: np.load(path, mmap_mode="r")[rows[0]].astype(np.float32)
        for method, path in zip(snakemake.params.warping, inputs.displacements, strict=True)
    }
    save(films_figure(images, list(patients["scan"]), changes, displacements), outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
