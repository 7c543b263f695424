"""Compare what voxelwise inference finds with the truth and with tensor-based morphometry."""

import nibabel
import pandas as pd
from counterwarp.stats.voxelwise import Inference, compare
from counterwarp.workflow import cohort_step


def tabulate(inputs, outputs):
    mask = nibabel.load(inputs.template_mask).get_fdata() > 0.5

    def voxels(path):
        return nibabel.load(path).get_fdata()[mask]

    found = {
        analysis: Inference(voxels(effect), voxels(t), 10.0 ** -voxels(logp))
        for analysis, effect, t, logp in zip(
            snakemake.params.analyses, inputs.effects, inputs.t, inputs.logp, strict=True
        )
    }
    truth = voxels(inputs.truth) if inputs.truth else None
    rows = [
        {"analysis": name, **compare(one, None if name == "tbm" else found["tbm"], truth)}
        for name, one in found.items()
    ]
    pd.DataFrame(rows).to_csv(outputs.table, sep="\t", index=False, na_rep="nan")


cohort_step(snakemake, tabulate)
