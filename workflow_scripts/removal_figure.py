"""Draw what the generators change in a patient's scan, and where they move it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from counterwarp.figures.adversarial import ScanChange, scan_figure
from counterwarp.figures.style import save
from counterwarp.workflow import cohort_step


def draw(inputs, outputs):
    index = pd.read_csv(inputs.index, sep="\t", dtype={"scan": str})
    patient = index.query("split == 'test' and group == 'patient'").iloc[0]

    def of_patient(path):
        return np.load(path, mmap_mode="r")[patient["row"]].astype(np.float32)

    subject = ScanChange(
        patient["scan"],
        of_patient(inputs.images),
        np.load(inputs.mask),
        {method: of_patient(path) for method, path in zip(snakemake.params.methods, inputs.changes, strict=True)},
        of_patient(inputs.displacement[0]) if inputs.displacement else None,
        np.array(json.loads(Path(inputs.affine).read_text())),
    )
    save(scan_figure(subject), outputs.png, outputs.pdf)


cohort_step(snakemake, draw)
