"""Compare each method's maps of the classifier with those of classifiers that know nothing."""

import numpy as np
import pandas as pd
from counterwarp.arrays import Rows
from counterwarp.explain import build
from counterwarp.networks import files
from counterwarp.networks.device import prepare
from counterwarp.stats.sanity import similarities, similarity, verdicts
from counterwarp.training.pack import read_pack
from counterwarp.training.sanity import layers_of, randomise
from counterwarp.workflow import cohort_step


def check(inputs, outputs):
    params = snakemake.params
    device = prepare(params.device, params.threads)
    pack, mask = read_pack(inputs.images[0], inputs.index[0], fold=params.fold), np.load(inputs.mask[0])
    shuffled = dict(zip(params.shuffled, zip(inputs.shuffled, inputs.shuffled_architecture, strict=True), strict=True))
    chosen = pack.index[(pack.index["split"] == "test") & pack.index["baseline"]]["row"].to_numpy()
    images, patients = pack.stream(chosen, device), pack.patients[chosen].to(device)
    rows = []
    for seed, *trained in zip(params.seeds, inputs.weights, inputs.architecture, strict=True):
        classifier = files.load_classifier(*trained).to(device)
        depth = len(layers_of(classifier))
        others = {("layers drawn anew", n): randomise(classifier, n, seed) for n in range(1, depth + 1)}
        if seed in shuffled:
            others["labels shuffled", 0] = files.load_classifier(*shuffled[seed]).to(device)
        for method in params.methods:
            own, changed = build(method, classifier), {name: build(method, other) for name, other in others.items()}
            for (name, layers), value in similarities(own, changed, images, patients, mask).items():
                row = {"method": method, "seed": seed, "check": name, "layers": layers, "of": depth}
                rows.append({**row, "similarity": value})
    for (method, seed), *files_of_maps in zip(params.simulations, inputs.maps, inputs.shuffled_maps, strict=True):
        places = np.searchsorted(pack.explained(params.fold), chosen)
        own, other = (Rows(np.load(path, mmap_mode="r"), places) for path in files_of_maps)
        row = {"method": method, "seed": seed, "check": "labels shuffled", "layers": 0, "of": 0}
        rows.append({**row, "similarity": similarity(own, other, mask)})
    verdicts(pd.DataFrame(rows)).to_csv(outputs.table, sep="\t", index=False)


cohort_step(snakemake, check)
