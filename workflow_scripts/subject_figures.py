"""Draw a few test subjects of each group: raw, simulated, difference, change of volume."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from counterwarp.figures.style import save
from counterwarp.figures.subjects import Arrays, subject_figures
from counterwarp.stats.verdict import read_warning
from counterwarp.tsv import read_tsv
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    index = read_tsv(inputs.index)
    first = index[(index["split"] == "test") & index["baseline"]]
    logits = pd.read_csv(inputs.logits, sep="\t").merge(first[["row", "group"]], on="row")
    arrays = Arrays(
        images=np.load(inputs.images, mmap_mode="r"),
        simulated=np.load(inputs.simulated, mmap_mode="r"),
        maps=np.load(inputs.maps, mmap_mode="r"),
        truth=np.load(inputs.truth, mmap_mode="r") if inputs.truth else None,
        mask=np.load(inputs.mask),
        affine=np.array(json.loads(Path(inputs.affine).read_text())),
    )
    folder = Path(outputs.folder)
    for subject, figure in subject_figures(logits, arrays):
        (folder / subject.group).mkdir(parents=True, exist_ok=True)
        name = folder / subject.group / subject.scan
        save(figure, f"{name}.png", f"{name}.pdf", read_warning(inputs.verdict))


cohort_step(snakemake, draw)
