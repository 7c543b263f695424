"""Train the classifier, or take the user's own; write its logits of every packed scan."""

import shutil
from pathlib import Path

import pandas as pd
from counterwarp.networks import files, own
from counterwarp.networks.device import prepare
from counterwarp.training.classifier import HISTORY, logits, train_classifier
from counterwarp.training.pack import read_pack
from counterwarp.training.sanity import APART, shuffle_labels
from counterwarp.workflow import cohort_step

# Beside the outputs but none of them: Snakemake deletes the outputs of a job that dies.
RESUME = Path(snakemake.output.weights).with_name("resume.pt")


def train(pack, device, outputs):
    params = snakemake.params
    origin = {"code": params.code, "seed": params.seed, "threads": params.threads}
    settings = params.settings | {"precision": params.precision}
    network, history = train_classifier(pack, settings, device, RESUME, origin)
    files.save(network, outputs.weights, outputs.architecture)
    history.to_csv(outputs.history, sep="\t", index=False)
    return network


def take(pack, device, inputs, outputs):
    weights, file = inputs.own
    name = snakemake.params.own
    network = own.load(weights, file, name)
    own.check(network, pack.grid)
    shutil.copyfile(weights, outputs.weights)
    own.write_architecture(outputs.architecture, file, name)
    pd.DataFrame(columns=HISTORY).to_csv(outputs.history, sep="\t", index=False)
    return network.to(device)


def classify(inputs, outputs):
    params = snakemake.params
    device = prepare(params.device, params.threads, params.seed + APART * params.shuffled)
    pack = read_pack(inputs.images, inputs.index, fold=params.fold)
    if params.shuffled:
        pack = shuffle_labels(pack, params.seed)
    network = take(pack, device, inputs, outputs) if params.own else train(pack, device, outputs)
    values = logits(network, pack.stream(pack.index.index, device)).cpu()
    pack.index[["row", "scan"]].assign(logit=values).to_csv(outputs.logits, sep="\t", index=False)


cohort_step(snakemake, classify)
RESUME.unlink(missing_ok=True)
