"""The toy benchmark of DeFI-GAN, run for real at a size at which its results are worthless."""

import pandas as pd
import pytest
import yaml
from conftest import Workflow

STAGES = [{"generator_updates": 2, "critic_updates": 2}, {"generator_updates": 3, "critic_updates": 1}]
SMALL = {
    "cohort": {"toy": {"grid": 32, "train": 12, "validation": 3, "test": 4}},
    "seeds": [1, 2],
    "classifier": {"epochs": 2},
    "simulator": {"channels": [2, 4], "fully_connected": 4, "steps": 2, "delta": 1.0},
    "adversarial": {
        "channels": [4, 8],
        "critic_channels": [[4], [8]],
        "stages": {"defigan": STAGES, "vagan": STAGES},
        "report_every": 2,
    },
    "explain": {"methods": ["defigan", "vagan", "cycle", "backprop"]},
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    workflow = Workflow(tmp_path_factory.mktemp("toy"))
    run(workflow)
    workflow.results = workflow.folder / "results/defigan_toy"
    return workflow


def run(workflow, *arguments, check=True, **adversarial):
    overlay = workflow.folder / "small.yaml"
    overlay.write_text(yaml.safe_dump(SMALL | {"adversarial": SMALL["adversarial"] | adversarial}))
    study = workflow.code / "experiments/defigan_toy.yaml"
    return workflow.run(*arguments, configfiles=[study, overlay], check=check)


def test_every_method_of_both_papers_is_in_one_table(toy):
    table = pd.read_csv(toy.results / "tables/methods.tsv", sep="\t", dtype={"seed": str})
    assert set(table["method"]) == {"defigan", "vagan", "cycle", "backprop", "ceiling"}
    ncc = table.query("level == 'subject' and metric == 'ncc' and seed == '1'").set_index("method")
    # Four patients: what goes from patient to control only is asked of no control.
    assert (ncc["n"] == 4).all()
    assert 0.5 < ncc.loc["ceiling", "mean"] <= 1
    order = pd.read_csv(toy.results / "tables/order.tsv", sep="\t")
    assert order[["better", "worse"]].to_numpy().tolist() == [["cycle", "backprop"], ["defigan", "vagan"]]
    for name in ("toy", "training", "classifier"):
        assert (toy.results / f"figures/{name}.png").stat().st_size > 10_000
    assert "Nothing to be done" in run(toy)


def test_the_history_of_a_training_names_the_generator_that_was_taken(toy):
    history = pd.read_csv(toy.results / "generator/defigan/seed-1/history.tsv", sep="\t")
    assert history["update"].to_list() == [2, 4, 5]
    assert history["critic_updates"].to_list() == [4, 6, 7]
    assert history["chosen"].sum() == 1
    best = history.loc[history["chosen"], "validation_ncc"].iloc[0]
    assert best == history["validation_ncc"].max()


def test_a_training_that_diverges_says_where_and_keeps_its_last_good_generator(toy):
    """With a step this large the critic leaves all bounds after the first validation."""
    folder = toy.results / "generator/defigan/seed-1"
    weights = str((folder / "weights.safetensors").relative_to(toy.folder))
    stages = {"defigan": [{"generator_updates": 5, "critic_updates": 1}], "vagan": STAGES}
    text = run(toy, "--", weights, check=False, learning_rate=1e3, report_every=1, stages=stages)
    assert toy.returncode != 0 and "Traceback" not in text
    log = (toy.results / "logs/train_generator_defigan_seed-1.log").read_text()
    assert "the training diverged in generator update 2 " in log and "Lower adversarial.learning_rate" in log
    assert "of the generators so far, that of update 1 is kept in" in log
    assert sorted(path.name for path in (folder / "last_good").iterdir()) == [
        "architecture.json",
        "history.tsv",
        "weights.safetensors",
    ]
    run(toy, "--", weights)
    assert sorted(path.name for path in folder.iterdir()) == ["architecture.json", "history.tsv", "weights.safetensors"]
