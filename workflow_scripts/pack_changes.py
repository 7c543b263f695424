"""One file of what all pairs of scans show."""

import pandas as pd
from counterwarp.imaging.longitudinal import pack_changes
from counterwarp.workflow import cohort_step, without_failures


def write(inputs, outputs):
    pairs = pd.DataFrame(snakemake.params.pairs)
    index = pd.read_csv(inputs.index, sep="\t", dtype={"scan": str})
    changes, masks = (without_failures(list(pairs["later"]), paths) for paths in (inputs.changes, inputs.masks))
    pack_changes(pairs, index, changes, masks, outputs.pairs)


cohort_step(snakemake, write)
