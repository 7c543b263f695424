"""What DeFI-GAN and VA-GAN find in drawn chest X-rays of a known geometry: python tests/bench/films.py [seed]

Prints the mean NCC over 24 unseen subjects of what each predicts with the change observed between two films and with
the true change, and that of the observed change with the true one. About two CPU minutes a seed.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow_scripts"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from chest_like import draw_film, severity_of
from counterwarp.imaging.film_pairs import register_film
from counterwarp.imaging.films import centre, centre_square, equalise
from counterwarp.networks.device import prepare
from counterwarp.networks.generator import remove
from counterwarp.stats.ncc import ncc
from counterwarp.training.adversarial import Pairs, train_generator
from counterwarp.training.pack import Pack

CROP = 56
# Subjects of one film, and of two between which they fall ill.
SUBJECTS = {"train": (240, 0), "validation": (0, 16), "test": (0, 24)}
SETTINGS = {
    "channels": [8, 16, 32, 64],
    "critic_network": "plain",
    "critic_channels": [[16], [32], [32], [64]],
    "fill": None,
    "critic": "wgan_gp",
    "penalty_weight": 10.0,
    "learning_rate": 0.001,
    "batch_size": 8,
    "flip": False,
    "precision": "float32",
    "report_every": 20,
    "stages": [{"generator_updates": 1, "critic_updates": 50}, {"generator_updates": 300, "critic_updates": 2}],
}
OF_METHOD = {
    "defigan": {"output_scale": 4.0, "regulariser_weight": 1.0},
    "vagan": {"output_scale": 1.0, "regulariser_weight": 50.0},
}


@dataclass
class Cohort:
    """The pack; and of each pair its later film's row, split, subject, observed change, mask and true change."""

    pack: Pack
    pairs: pd.DataFrame


def film(number: int, severity: float, visit: int) -> np.ndarray:
    return equalise(centre_square(draw_film(number, severity, visit=visit)))


def draw_cohort() -> Cohort:
    frames, rows, pairs = [], [], []
    for split, (single, twice) in SUBJECTS.items():
        for i in range(single + twice):
            number = len({row[1] for row in rows})
            for label in [i % 2] if i < single else [0, 1]:
                frames.append(film(number, severity_of(number, label), label))
                rows.append((f"{number}_{label}", str(number), ["control", "patient"][label], split, not label))
            if i >= single:
                moved, inside, _ = register_film(frames[-1], frames[-2])
                # The same pose and noise without the disease.
                true = film(number, 0.0, 1) - frames[-1]
                images = (centre(image, CROP) for image in (moved - frames[-1], inside, true))
                pairs.append((len(frames) - 1, split, str(number), *images))
    index = (
        pd.DataFrame(rows, columns=["scan", "subject", "group", "split", "baseline"]).rename_axis("row").reset_index()
    )
    whole = np.stack(frames).astype(np.float16)
    columns = ["row", "split", "subject", "change", "mask", "true"]
    return Cohort(Pack(centre(whole, CROP), index, whole), pd.DataFrame(pairs, columns=columns))


def train(cohort: Cohort, method: str, seed: int):
    device = prepare("cpu", 1, seed)
    held_out = cohort.pairs[cohort.pairs["split"] == "validation"]
    arrays = [np.stack(held_out[name].to_list()) for name in ("row", "change", "mask", "subject")]
    with tempfile.TemporaryDirectory() as folder:
        settings = SETTINGS | OF_METHOD[method]
        resume = f"{folder}/resume.pt"
        return train_generator(cohort.pack, settings, device, resume, method=method, pairs=Pairs(*arrays))[0]


@torch.no_grad()
def predicted(generator, pack: Pack, row: int) -> np.ndarray:
    image = pack.tensor([row])
    return (remove(generator, image)[0] - image)[0, 0].numpy()


def main(seed: int) -> None:
    cohort = draw_cohort()
    tested = cohort.pairs[cohort.pairs["split"] == "test"]
    limit = np.mean([ncc(pair.change, pair.true, pair.mask) for pair in tested.itertuples()])
    print(f"seed {seed}: observed with true change {limit:.3f}")
    for method in OF_METHOD:
        generator = train(cohort, method, seed)
        changes = [predicted(generator, cohort.pack, pair.row) for pair in tested.itertuples()]
        scores = {
            name: np.mean([ncc(c, getattr(p, name), p.mask) for c, p in zip(changes, tested.itertuples(), strict=True)])
            for name in ("change", "true")
        }
        print(
            f"{method}: with the observed change {scores['change']:.3f}, the true one {scores['true']:.3f}", flush=True
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
