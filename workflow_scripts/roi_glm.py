"""Compare regional volumes between the groups, with covariates."""

import pandas as pd
from counterwarp.cohorts.table import read
from counterwarp.imaging.regions import of_several
from counterwarp.stats.glm import fit_regions
from counterwarp.workflow import cohort_step


def compare(inputs, outputs):
    scans = read(inputs.scans)
    volumes = pd.read_csv(inputs.volumes, sep="\t")
    known = pd.read_csv(inputs.label_table, sep="\t")
    merged = of_several(known)
    regions, adjusted = fit_regions(volumes, scans[scans["baseline"]], snakemake.params.covariates, merged)
    known = known.set_index("name")
    regions.insert(2, "affected", regions["region"].map(known["affected"]) if "affected" in known else float("nan"))
    regions.to_csv(outputs.regions, sep="\t", index=False)
    adjusted.to_csv(outputs.adjusted, sep="\t", index=False)


cohort_step(snakemake, compare)
