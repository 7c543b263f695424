"""How many updates of the critic DeFI-GAN needs on the toy, by penalty and schedule.

    python tests/bench/schedules.py [cores]

The papers' critic (WGAN-GP) is updated a hundred times for each update of the generator. The others are updated twice
or once, and one has a zero-centred penalty on real images alone (R1, logistic loss). All else is that of
experiments/defigan_toy.yaml: three seeds, NCC on validation images. Each schedule runs through the workflow, the
papers' for 6,000 updates of the critic, half of those of the published run on ADNI. About an hour of one core.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[2]
SEEDS = (1, 2, 3)
PAPER = "WGAN-GP, 100 to 1"
START = {"generator_updates": 1, "critic_updates": 50}
# Critic, weight of the total variation, stages, updates of the generator between two validations. The logistic loss
# that goes with R1 pulls less at the generator than the critic's distance: R1 is tried with a tenth of the weight, too.
SCHEDULES = {
    PAPER: ("wgan_gp", 10.0, [{"generator_updates": 60, "critic_updates": 100}], 2),
    "WGAN-GP, 2 to 1": ("wgan_gp", 10.0, [START, {"generator_updates": 400, "critic_updates": 2}], 20),
    "WGAN-GP, 1 to 1": ("wgan_gp", 10.0, [START, {"generator_updates": 600, "critic_updates": 1}], 20),
    "R1, 1 to 1": ("r1", 10.0, [START, {"generator_updates": 600, "critic_updates": 1}], 20),
    "R1, 1 to 1, weight 1": ("r1", 1.0, [START, {"generator_updates": 600, "critic_updates": 1}], 20),
}


def train(folder: Path, number: int, name: str, cores: str) -> list[pd.DataFrame]:
    """The history of a schedule's training for each seed."""
    critic, weight, stages, report_every = SCHEDULES[name]
    settings = {"critic": critic, "regulariser_weight": {"defigan": weight}, "report_every": report_every}
    settings["stages"] = {"defigan": stages, "vagan": stages}
    overlay = folder / f"{number}.yaml"
    overlay.write_text(yaml.safe_dump({"experiment": f"schedule{number}", "adversarial": settings}))
    paths = [f"results/schedule{number}/generator/defigan/seed-{seed}/history.tsv" for seed in SEEDS]
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--cores", cores, "--quiet", "all", "--configfile", ROOT / "experiments/defigan_toy.yaml", overlay]
    subprocess.run(list(map(str, [*command, "--", *paths])), check=True)
    return [pd.read_csv(folder / path, sep="\t") for path in paths]


def updates_until(history: pd.DataFrame, ncc: float) -> float:
    """Updates of the critic until the validation's NCC was first as high; nan where it never was."""
    reached = history[history["validation_ncc"] >= ncc]
    return reached["critic_updates"].iloc[0] if len(reached) else float("nan")


def summarise(histories: list[pd.DataFrame], wanted: list[float]) -> dict:
    best = [history.loc[history["validation_ncc"].idxmax()] for history in histories]
    pairs = zip(histories, wanted, strict=True)
    return {
        "best_ncc": " ".join(f"{row['validation_ncc']:.3f}" for row in best),
        "critic_updates_to_best": " ".join(f"{row['critic_updates']:.0f}" for row in best),
        "generator_updates_to_best": " ".join(f"{row['update']:.0f}" for row in best),
        "critic_updates_to_the_papers_ncc": " ".join(f"{updates_until(*pair):.0f}" for pair in pairs),
    }


def main(cores: str) -> None:
    with tempfile.TemporaryDirectory(prefix="counterwarp-schedules-") as name:
        folder, rows, wanted = Path(name), [], []
        for number, schedule in enumerate(SCHEDULES):
            histories = train(folder, number, schedule, cores)
            if schedule == PAPER:
                wanted = [history["validation_ncc"].max() for history in histories]
            rows.append({"schedule": schedule, **summarise(histories, wanted)})
            print(pd.DataFrame(rows[-1:]).to_string(index=False), flush=True)
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "1")
