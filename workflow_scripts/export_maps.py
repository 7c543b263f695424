"""Write each scan's simulated image, displacement and log-Jacobian as BIDS derivatives."""

import pandas as pd
from counterwarp.explain.outputs import export_scans
from counterwarp.workflow import cohort_step, write_failure

NAMES = ("image", "displacement", "log_jacobian")


def export(inputs, outputs):
    params = snakemake.params
    scans = pd.read_csv(inputs.labels, sep="\t", dtype={"scan": str})["scan"]
    pairs = [zip(getattr(outputs, name), getattr(outputs, f"{name}_sidecar"), strict=True) for name in NAMES]
    places = {scan: dict(zip(NAMES, of_scan, strict=True)) for scan, *of_scan in zip(scans, *pairs, strict=True)}
    left_out = pd.read_csv(inputs.left_out, sep="\t", dtype=str, keep_default_na=False)
    for failure in left_out.to_dict("records"):
        for path in [path for pair in places[failure["scan"]].values() for path in pair]:
            write_failure(failure, path)
    # Beside each simulated image lies the one that the simulator was given.
    names = [path.replace(f"_desc-{params.method}_T1w", "_desc-normalised_T1w") for path in snakemake.output.image]
    sources = dict(zip(scans, names, strict=True))
    arrays = {"image": [inputs.image], "displacement": [inputs.displacement], "log_jacobian": inputs.log_jacobian}
    export_scans(inputs.index, inputs.affine, arrays, sources, places, params.method, params.space)


cohort_step(snakemake, export)
