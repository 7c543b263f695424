"""What DeFI-GAN and VA-GAN find in drawn chest X-rays of a known geometry, through the whole workflow.

    python tests/bench/films.py [cores]

Writes films of 288 subjects (tests/chest_like.py: DICOM, PNG, NIfTI), runs `experiments/defigan_copd.yaml` on them with
small networks and three seeds, and prints the tables of change between two films, and the mean NCC over the test
subjects of what each method predicts with the true change. About a quarter of an hour of one core.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow_scripts"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from chest_like import draw_film, write_cohort
from counterwarp.imaging.films import centre, centre_square, equalise
from counterwarp.stats.ncc import ncc

ROOT = Path(__file__).parents[2]
# Subjects of one film, for training; and of two, for validation and test.
SINGLE, PAIRS = 240, 48
CROP, SEEDS = 56, (1, 2, 3)
STAGES = [{"generator_updates": 1, "critic_updates": 50}, {"generator_updates": 300, "critic_updates": 2}]
SETTINGS = {
    "experiment": "drawn_films",
    "seeds": list(SEEDS),
    "threads": 1,
    "preprocess": {"films": {"edge": 64, "crop": CROP}},
    "classifier": {"channels": [8, 16, 32], "hidden": 16, "learning_rate": 0.001, "epochs": 10},
    "adversarial": {
        "channels": [8, 16, 32, 64],
        "critic_network": "plain",
        "critic_channels": [[16], [32], [32], [64]],
        "output_scale": {"defigan": 4.0, "vagan": 1.0},
        "regulariser_weight": {"defigan": 1.0, "vagan": 50.0},
        "fill": None,
        "learning_rate": 0.001,
        "stages": {"defigan": STAGES, "vagan": STAGES},
        "report_every": 20,
    },
}


def run(folder: Path, cores: str) -> Path:
    """Returns the folder of the results."""
    write_cohort(folder / "data", SINGLE, PAIRS)
    overlay = folder / "drawn_films.yaml"
    overlay.write_text(yaml.safe_dump(SETTINGS | {"cohort": {"path": "data/films.tsv"}}))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--cores", cores, "--quiet", "all", "--scheduler", "greedy"]
    command += ["--configfile", ROOT / "experiments/defigan_copd.yaml", overlay]
    subprocess.run(list(map(str, command)), check=True)
    return folder / "results/drawn_films"


def true_change(subject: str, later: np.ndarray) -> np.ndarray:
    """The same pose and noise without the disease, minus the later film."""
    healthy = equalise(centre_square(draw_film(int(subject) - 1, 0.0, visit=1)))
    return centre(healthy, CROP) - later


def score(results: Path) -> pd.DataFrame:
    """NCC with the true change over the test subjects, by method and seed; of the observed change, too."""
    images = np.load(results / "pack/images.npy", mmap_mode="r")
    with np.load(results / "longitudinal/pairs.npz") as saved:
        pairs = dict(saved)
    tested = np.flatnonzero(pairs["split"] == "test")
    truths = {i: true_change(pairs["subject"][i], images[pairs["row"][i]].astype(np.float32)) for i in tested}

    def mean(of_pair) -> float:
        return np.mean([ncc(of_pair(i), truths[i], pairs["mask"][i]) for i in tested])

    rows = [("observed change", "", mean(lambda i: pairs["change"][i]))]
    for method in ("defigan", "vagan"):
        for seed in SEEDS:
            change = np.load(results / f"explain/{method}/seed-{seed}/change.npy", mmap_mode="r")
            rows.append((method, seed, mean(lambda i, found=change: -found[pairs["row"][i]].astype(np.float32))))
    return pd.DataFrame(rows, columns=["method", "seed", "ncc_true"])


def main(cores: str) -> None:
    with tempfile.TemporaryDirectory(prefix="counterwarp-films-") as name:
        results = run(Path(name), cores)
        for table in ("longitudinal", "longitudinal_order"):
            print((results / f"tables/{table}.tsv").read_text())
        print(score(results).to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "2")
