"""Maps of every packed scan by a method that needs the classifier alone."""

import numpy as np
import pandas as pd
from counterwarp.explain import build
from counterwarp.networks import files
from counterwarp.networks.device import prepare
from counterwarp.training.pack import read_pack
from counterwarp.workflow import cohort_step


def explain(inputs, outputs):
    device = prepare(snakemake.params.device, snakemake.params.threads)
    pack = read_pack(inputs.images, inputs.index)
    classifier = files.load_classifier(inputs.weights, inputs.architecture).to(device)
    explainer = build(snakemake.wildcards.method, classifier, **snakemake.params.options)
    maps = explainer.explain(pack.tensor(pack.index.index).to(device), pack.patients.to(device))
    np.save(outputs.maps, maps.cpu().numpy())
    # A saliency method simulates nothing, so it has no logits to show.
    pd.DataFrame(columns=["row", "scan", "raw", "simulated", "cycled"]).to_csv(outputs.logits, sep="\t", index=False)


cohort_step(snakemake, explain)
