"""Write each scan's simulated image, displacement and log-Jacobian as BIDS derivatives."""

import shutil

import pandas as pd
from counterwarp.explain.outputs import export_scans
from counterwarp.workflow import cohort_step, read_failure, write_not_used

NAMES = ("image", "displacement", "log_jacobian")


def export(inputs, outputs):
    params = snakemake.params
    scans, packed = (
        pd.read_csv(table, sep="\t", dtype={"scan": str})["scan"] for table in (inputs.labels, inputs.index)
    )
    pairs = [zip(getattr(outputs, name), getattr(outputs, f"{name}_sidecar"), strict=True) for name in NAMES]
    places = {scan: dict(zip(NAMES, of_scan, strict=True)) for scan, *of_scan in zip(scans, *pairs, strict=True)}
    # Beside each simulated image lies the one that the simulator was given.
    names = [path.replace(f"_desc-{params.method}_T1w", "_desc-normalised_T1w") for path in snakemake.output.image]
    sources = dict(zip(scans, names, strict=True))
    for scan in set(scans) - set(packed):
        for path in [path for pair in places[scan].values() for path in pair]:
            if read_failure(sources[scan]):
                shutil.copy(sources[scan], path)
            else:
                write_not_used(scan, path)
    arrays = {"image": [inputs.image], "displacement": [inputs.displacement], "log_jacobian": inputs.log_jacobian}
    export_scans(inputs.index, inputs.affine, arrays, sources, places, params.method, params.space)


cohort_step(snakemake, export)
