"""The 2-D experiment, run for real at a size at which its results are worthless."""

import re

import pandas as pd
import pytest
import yaml
from conftest import Workflow
from safetensors.torch import save_file
from torch import nn

SMALL = {
    "cohort": {"gaussians": {"each": 20}},
    "seeds": [1, 2],
    "classifier": {"epochs": 2},
    "simulator": {"steps": 4, "report_every": 2},
}


def run(workflow, *arguments, check=True, **sections):
    overlay = workflow.folder / "small.yaml"
    overlay.write_text(yaml.safe_dump(SMALL | sections))
    files = [workflow.code / "experiments/liu2021_gaussians.yaml", overlay]
    return workflow.run(*arguments, configfiles=files, check=check)


@pytest.fixture(scope="module")
def gaussians(tmp_path_factory):
    workflow = Workflow(tmp_path_factory.mktemp("gaussians"))
    run(workflow)
    workflow.results = workflow.folder / "results/liu2021_gaussians"
    return workflow


def table(workflow, name):
    return pd.read_csv(workflow.results / f"tables/{name}.tsv", sep="\t", dtype={"seed": str})


def test_every_method_and_seed_is_scored(gaussians):
    methods = table(gaussians, "methods")
    wanted = {"cycle", "cycle_two_encoders", "backprop", "guided_backprop", "gradcam", "guided_gradcam"}
    assert set(methods.method) == wanted
    assert set(methods.seed) == {"1", "2", "all"}
    assert len(table(gaussians, "order")) == 1 + 2 * 4
    assert set(table(gaussians, "classifier").seed) == {"1", "2"}
    assert (gaussians.results / "figures/benchmark.png").stat().st_size > 10_000
    assert "Nothing to be done" in run(gaussians)


def test_the_report_holds_the_figure_and_the_tables(gaussians, tmp_path):
    run(gaussians, "--report", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    for wanted in ("4 Classifier", "8 Methods against truth", "order of the methods in the paper", "9 About"):
        assert wanted in text
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?:', text)


NETWORK = """
from torch import nn

class Pooled(nn.Sequential):
    def __init__(self):
        layers = nn.Conv2d(1, 2, 5, stride=3), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 1)
        super().__init__(*layers)
"""


def maps_of(*methods):
    return ["--", *(f"results/liu2021_gaussians/explain/{method}/seed-1/maps.npy" for method in methods)]


def test_a_user_s_own_classifier_is_explained_and_what_does_not_apply_is_said(tmp_path):
    workflow = Workflow(tmp_path)
    file, weights = workflow.folder / "net.py", workflow.folder / "net.safetensors"
    file.write_text(NETWORK)
    save_file(nn.ModuleDict({"0": nn.Conv2d(1, 2, 5, stride=3), "4": nn.Linear(2, 1)}).state_dict(), weights)
    own = {"own": {"file": str(file), "class": "Pooled", "weights": str(weights)}}
    sections = {"classifier": own, "seeds": [1]}
    good = {"explain": {"methods": ["cycle", "backprop", "gradcam"]}}
    results = workflow.folder / "results/liu2021_gaussians"
    run(workflow, *maps_of("cycle", "backprop", "gradcam"), **sections | good)
    assert (results / "classifier/seed-1/weights.safetensors").read_bytes() == weights.read_bytes()
    assert (results / "explain/gradcam/seed-1/maps.npy").is_file()
    bad = {"explain": {"methods": ["cycle", "guided_backprop"]}}
    text = run(workflow, *maps_of("guided_backprop"), check=False, **sections | bad)
    assert workflow.returncode != 0
    assert "this classifier has SiLU" in text
    assert "remove guided_backprop from explain.methods" in text
    wrong = {"own": own["own"] | {"class": "Poled"}}
    text = run(workflow, check=False, **sections | good | {"classifier": wrong})
    assert "has no torch module 'Poled'; it has Pooled" in text
