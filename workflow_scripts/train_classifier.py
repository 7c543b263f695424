"""Train the classifier, and write its logits of every packed scan."""

from pathlib import Path

from counterwarp.networks import files
from counterwarp.networks.device import prepare
from counterwarp.training.classifier import logits, train_classifier
from counterwarp.training.pack import read_pack
from counterwarp.workflow import cohort_step

# Beside the outputs but none of them: Snakemake deletes the outputs of a job that dies.
RESUME = Path(snakemake.output.weights).with_name("resume.pt")


def train(inputs, outputs):
    params = snakemake.params
    device = prepare(params.device, params.threads, params.seed)
    pack = read_pack(inputs.images, inputs.index)
    origin = {"code": params.code, "seed": params.seed, "threads": params.threads}
    network, history = train_classifier(pack, params.settings, device, RESUME, origin)
    files.save(network, outputs.weights, outputs.architecture)
    history.to_csv(outputs.history, sep="\t", index=False)
    values = logits(network, pack.tensor(pack.index.index).to(device)).cpu()
    pack.index[["row", "scan"]].assign(logit=values).to_csv(outputs.logits, sep="\t", index=False)


cohort_step(snakemake, train)
RESUME.unlink(missing_ok=True)
