"""Train the generator that takes the disease out of patients' images, against a critic."""

import math
import shutil
from pathlib import Path

from counterwarp.errors import CounterwarpError
from counterwarp.networks import files
from counterwarp.networks.device import prepare
from counterwarp.training.adversarial import DivergedError, observed_pairs, train_generator, true_pairs
from counterwarp.training.pack import read_pack
from counterwarp.workflow import cohort_step

# Beside the outputs but none of them: Snakemake deletes the outputs of a job that dies.
RESUME = Path(snakemake.output.weights).with_name("resume.pt")
LAST_GOOD = RESUME.with_name("last_good")


def train(inputs, outputs):
    params, method = snakemake.params, snakemake.wildcards.method
    pack = read_pack(inputs.images, inputs.index, inputs.frames or None, fold=params.fold)
    device = prepare(params.device, params.threads, params.seed, math.prod(pack.grid))
    of_method = {name: params.settings[name][method] for name in ("output_scale", "regulariser_weight", "stages")}
    of_method |= {"critic_weights": inputs.critic_weights or None, "precision": params.precision}
    origin = {"code": params.code, "seed": params.seed, "threads": params.threads}
    pairs = None
    if inputs.truth or inputs.pairs:
        pairs = true_pairs(pack, inputs.truth) if inputs.truth else observed_pairs(pack, inputs.pairs)
    try:
        result = train_generator(pack, params.settings | of_method, device, RESUME, origin, method, pairs)
    except DivergedError as error:
        if not error.network:
            raise
        LAST_GOOD.mkdir(exist_ok=True)
        save(error.network, error.history, *(LAST_GOOD / Path(path).name for path in snakemake.output))
        raise CounterwarpError(f"{error} in {LAST_GOOD}") from error
    save(*result, outputs.weights, outputs.architecture, outputs.history)


def save(network, history, weights, architecture, table):
    files.save(network, weights, architecture)
    history.to_csv(table, sep="\t", index=False)


cohort_step(snakemake, train)
RESUME.unlink(missing_ok=True)
shutil.rmtree(LAST_GOOD, ignore_errors=True)
