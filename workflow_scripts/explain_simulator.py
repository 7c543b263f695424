"""Maps, displacements and simulated images by a trained simulator or generator, of every packed scan or of a fold's."""

from counterwarp.explain import build
from counterwarp.explain.outputs import write_simulation
from counterwarp.networks import files
from counterwarp.networks.device import prepare
from counterwarp.networks.generator import Generator
from counterwarp.networks.simulator import Simulator, TwoSimulators
from counterwarp.training.pack import read_pack
from counterwarp.workflow import cohort_step, log_speed


def explain(inputs, outputs):
    device = prepare(snakemake.params.device, snakemake.params.threads)
    pack = read_pack(inputs.images, inputs.index, fold=snakemake.params.fold)
    rows = pack.explained(snakemake.params.fold)
    classifier = files.load_classifier(inputs.classifier_weights, inputs.classifier_architecture).to(device)
    simulator = files.load([Simulator, TwoSimulators, Generator], inputs.weights, inputs.architecture).to(device)
    explainer = build(snakemake.wildcards.method, classifier, simulator)
    images, patients = pack.stream(rows, device), pack.patients[rows].to(device)
    seconds = write_simulation(explainer, images, patients, pack.index.iloc[rows], inputs.mask, **vars(outputs))
    log_speed(snakemake.wildcards.method, snakemake.wildcards.seed, len(images), seconds)


cohort_step(snakemake, explain)
