"""Train the generator that takes the disease out of patients' images, against a critic."""

import math
from pathlib import Path

from counterwarp.networks import files
from counterwarp.networks.device import prepare
from counterwarp.training.adversarial import observed_pairs, train_generator, true_pairs
from counterwarp.training.pack import read_pack
from counterwarp.workflow import cohort_step

# Beside the outputs but none of them: Snakemake deletes the outputs of a job that dies.
RESUME = Path(snakemake.output.weights).with_name("resume.pt")


def train(inputs, outputs):
    params, method = snakemake.params, snakemake.wildcards.method
    pack = read_pack(inputs.images, inputs.index, inputs.frames or None)
    device = prepare(params.device, params.threads, params.seed, math.prod(pack.grid))
    of_method = {name: params.settings[name][method] for name in ("output_scale", "regulariser_weight", "stages")}
    of_method |= {"critic_weights": inputs.critic_weights or None, "precision": params.precision}
    origin = {"code": params.code, "seed": params.seed, "threads": params.threads}
    pairs = true_pairs(pack, inputs.truth) if inputs.truth else observed_pairs(inputs.pairs) if inputs.pairs else None
    network, history = train_generator(pack, params.settings | of_method, device, RESUME, origin, method, pairs)
    files.save(network, outputs.weights, outputs.architecture)
    history.to_csv(outputs.history, sep="\t", index=False)


cohort_step(snakemake, train)
RESUME.unlink(missing_ok=True)
