"""Maps, displacements and images without the disease of every packed scan, by a trained generator."""

import time

from counterwarp.explain import build
from counterwarp.explain.outputs import write_simulation
from counterwarp.networks import files
from counterwarp.networks.device import prepare
from counterwarp.networks.generator import Generator
from counterwarp.training.pack import read_pack
from counterwarp.workflow import cohort_step, log_speed


def explain(inputs, outputs):
    device = prepare(snakemake.params.device, snakemake.params.threads)
    pack = read_pack(inputs.images, inputs.index)
    classifier = files.load_classifier(inputs.classifier_weights, inputs.classifier_architecture).to(device)
    generator = files.load([Generator], inputs.weights, inputs.architecture).to(device)
    explainer = build(snakemake.wildcards.method, classifier, generator)
    images, patients = pack.tensor(pack.index.index).to(device), pack.patients.to(device)
    start = time.monotonic()
    removal = explainer.simulate(images, patients)
    removal.maps.cpu()  # waits for a GPU
    log_speed(snakemake.wildcards.method, snakemake.wildcards.seed, len(images), start)
    write_simulation(removal, images, pack.index, inputs.mask, **vars(outputs))


cohort_step(snakemake, explain)
