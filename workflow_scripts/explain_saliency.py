"""Maps of every packed scan, or of a fold's, by a method that needs the classifier alone."""

import pandas as pd
from counterwarp.errors import CounterwarpError
from counterwarp.explain import build
from counterwarp.explain.inspection import DoesNotApplyError
from counterwarp.explain.outputs import write_maps
from counterwarp.networks import files
from counterwarp.networks.device import prepare
from counterwarp.training.pack import read_pack
from counterwarp.workflow import cohort_step, log_speed


def explain(inputs, outputs):
    device = prepare(snakemake.params.device, snakemake.params.threads)
    pack = read_pack(inputs.images, inputs.index, fold=snakemake.params.fold)
    rows = pack.explained(snakemake.params.fold)
    classifier = files.load_classifier(inputs.weights, inputs.architecture).to(device)
    explainer = build(snakemake.wildcards.method, classifier, **snakemake.params.options)
    images, patients = pack.stream(rows, device), pack.patients[rows].to(device)
    try:
        seconds = write_maps(explainer, images, patients, outputs.maps)
    except DoesNotApplyError as error:
        raise CounterwarpError(f"{error}; remove {snakemake.wildcards.method} from explain.methods") from error
    log_speed(snakemake.wildcards.method, snakemake.wildcards.seed, len(images), seconds)
    # A saliency method simulates nothing, so it has no logits to show.
    pd.DataFrame(columns=["row", "scan", "raw", "simulated", "cycled"]).to_csv(outputs.logits, sep="\t", index=False)


cohort_step(snakemake, explain)
