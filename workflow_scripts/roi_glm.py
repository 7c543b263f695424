"""Compare regional volumes between the groups, with covariates."""

import pandas as pd
from counterwarp.cohorts.table import read
from counterwarp.imaging.parcellation import of_several
from counterwarp.stats.formula import HEAD_SIZE
from counterwarp.stats.glm import fit_regions
from counterwarp.tsv import read_tsv
from counterwarp.workflow import cohort_step


def compare(inputs, outputs):
    params, scans = snakemake.params, read(inputs.scans)
    volumes = read_tsv(inputs.volumes)
    known = pd.read_csv(inputs.label_table, sep="\t")
    if params.volumes == "native":
        volumes["volume_ml"] = volumes["native_mm3"] / 1000
    scans[HEAD_SIZE] = scans["scan"].map(volumes.drop_duplicates("scan").set_index("scan")[HEAD_SIZE])
    regions, adjusted, residuals = fit_regions(volumes, scans, params.formula, of_several(known), params.model)
    known = known.set_index("name")
    regions.insert(2, "affected", regions["region"].map(known["affected"]) if "affected" in known else float("nan"))
    if "trust" in known:
        regions.insert(3, "trust", regions["region"].map(known["trust"]))
    regions.to_csv(outputs.regions, sep="\t", index=False)
    adjusted.to_csv(outputs.adjusted, sep="\t", index=False)
    residuals.to_csv(outputs.residuals, sep="\t", index=False)


cohort_step(snakemake, compare)
