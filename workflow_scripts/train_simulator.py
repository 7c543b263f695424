"""Train the simulator that shifts the classifier's logit by a warp."""

from pathlib import Path

from counterwarp.networks import files
from counterwarp.networks.device import prepare
from counterwarp.training.cycle import train_simulator
from counterwarp.training.pack import read_pack
from counterwarp.training.sanity import APART, shuffle_labels
from counterwarp.workflow import cohort_step

# Beside the outputs but none of them: Snakemake deletes the outputs of a job that dies.
RESUME = Path(snakemake.output.weights).with_name("resume.pt")


def train(inputs, outputs):
    params = snakemake.params
    device = prepare(params.device, params.threads, params.seed + APART * params.shuffled)
    pack = read_pack(inputs.images, inputs.index, fold=params.fold)
    if params.shuffled:
        pack = shuffle_labels(pack, params.seed)
    classifier = files.load_classifier(inputs.weights, inputs.architecture)
    origin = {"code": params.code, "seed": params.seed, "threads": params.threads}
    network, history = train_simulator(
        pack,
        classifier,
        params.settings | {"precision": params.precision},
        device,
        RESUME,
        origin,
        snakemake.wildcards.method,
    )
    files.save(network, outputs.weights, outputs.architecture)
    history.to_csv(outputs.history, sep="\t", index=False)


cohort_step(snakemake, train)
RESUME.unlink(missing_ok=True)
