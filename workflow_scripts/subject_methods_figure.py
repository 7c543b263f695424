"""Draw the maps of all methods for one test patient, that of the median logit, over the scan itself."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from counterwarp.figures.group import group_figure
from counterwarp.figures.style import save
from counterwarp.stats.verdict import read_warning
from counterwarp.tsv import read_tsv
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    index = read_tsv(inputs.index)
    patients = index[(index["split"] == "test") & index["baseline"] & (index["group"] == "patient")]
    logits = pd.read_csv(inputs.logits, sep="\t").query("seed == @snakemake.params.seed and split == 'test'")
    ranked = logits.merge(patients[["row", "scan"]], on="scan").sort_values(["logit", "row"])
    scan = ranked.iloc[len(ranked) // 2]
    figure = group_figure(
        {
            m: np.load(path, mmap_mode="r")[scan.row]
            for m, path in zip(snakemake.params.methods, inputs.maps, strict=True)
        },
        np.load(inputs.truth, mmap_mode="r")[scan.row] if inputs.truth else None,
        np.load(inputs.images, mmap_mode="r")[scan.row].astype(np.float32),
        np.load(inputs.mask),
        np.array(json.loads(Path(inputs.affine).read_text())),
    )
    figure.suptitle(f"{scan.scan}, patient, logit {scan.logit:+.1f}", fontsize=11)
    save(figure, outputs.png, outputs.pdf, read_warning(inputs.verdict))


cohort_step(snakemake, draw)
