"""The COPD experiment on films of a known geometry, at a size at which the networks learn nothing."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from chest_like import draw_film, severity_of, write_cohort
from conftest import Workflow
from counterwarp.imaging.films import FilmGrid, centre, centre_square, equalise
from counterwarp.stats.ncc import ncc

GRID = FilmGrid(edge=64, crop=56)
SINGLE, PAIRS = 5, 2
STAGES = [{"generator_updates": 2, "critic_updates": 2}]
SMALL = {
    "experiment": "small",
    "seeds": [1],
    "threads": 1,
    "preprocess": {"films": {"edge": GRID.edge, "crop": GRID.crop}},
    "classifier": {"channels": [2, 4], "hidden": 4, "epochs": 1},
    "simulator": {"channels": [2, 4], "fully_connected": 4, "batch_size": 2, "steps": 2, "report_every": 1},
    "explain": {"methods": ["defigan", "vagan", "cycle"]},
    "adversarial": {
        "channels": [4, 8],
        "batch_size": 2,
        "stages": {"defigan": STAGES, "vagan": STAGES},
        "report_every": 1,
    },
}


def run(workflow, table, *arguments, check=True, **sections):
    overlay = workflow.folder / "small.yaml"
    overlay.write_text(yaml.safe_dump(sections | {"cohort": {"path": str(table)}}))
    files = [workflow.code / "experiments/defigan_copd.yaml", overlay]
    return workflow.run(*arguments, configfiles=files, check=check)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """The workflow run whole on nine films, one of which cannot be read."""
    folder = tmp_path_factory.mktemp("films")
    write_cohort(folder / "data", SINGLE, PAIRS)
    (folder / "data/films/005_0.png").write_bytes(b"not a film")
    workflow = Workflow(folder / "workflow")
    run(workflow, folder / "data/films.tsv", "--keep-going", **SMALL)
    workflow.results = workflow.folder / "results/small"
    return workflow


def test_lateral_films_are_left_out_with_the_reason_and_a_bad_film_fails_alone(films):
    out = pd.read_csv(films.results / "tables/exclusions.tsv", sep="\t", dtype=str)
    left_out = out[out["step"] == "cohort"]
    assert left_out["scan"].to_list() == ["sub-001_ses-20130101", "sub-002_ses-20130101"]
    assert (left_out["reason"] == "its view is LATERAL, not PA").all()
    table = pd.read_csv(films.results / "cohort/scans.tsv", sep="\t", dtype=str)
    assert len(table) == SINGLE + 2 * PAIRS and table["scan"].iloc[0] == "sub-001_ses-20140301"
    failures = pd.read_csv(films.results / "tables/failures.tsv", sep="\t", dtype=str)
    assert failures[["scan", "rule"]].to_numpy().tolist() == [["sub-005_ses-20140305", "prepare_film"]]
    assert "not a readable PNG" in failures["reason"].iloc[0]
    assert out.loc[out["step"] == "prepare_film", ["scan", "used"]].to_numpy().tolist() == [
        ["sub-005_ses-20140305", "no"]
    ]
    index = pd.read_csv(films.results / "pack/index.tsv", sep="\t")
    assert len(index) == len(table) - 1 and failures["scan"].iloc[0] not in set(index["scan"])


def test_the_observed_change_of_a_pair_is_that_of_the_known_geometry(films):
    with np.load(films.results / "longitudinal/pairs.npz") as pairs:
        pairs = dict(pairs)
    assert len(pairs["row"]) == PAIRS and pairs["change"].shape[1:] == (GRID.crop, GRID.crop)
    for subject, change, mask in zip(pairs["subject"], pairs["change"], pairs["mask"], strict=True):
        number = int(subject) - 1
        # The same chest in the later film's pose: as it was before, and with the disease.
        before, later = (
            equalise(centre_square(draw_film(number, severity_of(number, label), visit=1, noise=0.0)))
            for label in (0, 1)
        )
        assert mask.mean() > 0.8 and not change[~mask].any()
        assert ncc(change, centre(before - later, GRID.crop), mask) > 0.75


def test_the_report_has_the_pairs_the_figures_and_says_where_the_critic_starts(films):
    table = pd.read_csv(films.results / "tables/longitudinal.tsv", sep="\t")
    assert sorted(table["method"]) == ["cycle", "defigan", "vagan"] and (table["subjects"] == 1).all()
    assert table["mean"].between(-1, 1).all()
    for name in ("films", "training", "longitudinal", "classifier"):
        assert (films.results / f"figures/{name}.png").stat().st_size > 10_000
    assert "starts at random" in (films.results / "logs/train_generator_defigan_seed-1.log").read_text()
    about = (films.results / "report/about.html").read_text()
    assert "8 posteroanterior chest X-rays" in about and "no ImageNet weights" in about and "T1-weighted" not in about


def test_the_study_of_empty_films_is_planned_with_the_networks_of_the_paper(tmp_path):
    """The paper's 4,472: 3,189 for training, and of 354 test subjects 547 pairs."""
    rows = [(f"single{i}", "train", i % 2, 2014) for i in range(3189)]
    for split, visits in (("validation", [2] * 191), ("test", [3] * 193 + [2] * 161)):
        rows += [(f"{split}{i}", split, min(v, 1), 2014 + v) for i, n in enumerate(visits) for v in range(n)]
    table = pd.DataFrame(rows, columns=["subject", "split", "label", "year"])
    table = table.assign(date=table["year"].astype(str) + "-06-01", path="film.png", view="PA").drop(columns="year")
    (tmp_path / "film.png").touch()
    table.to_csv(tmp_path / "films.tsv", sep="\t", index=False)
    workflow = Workflow(tmp_path / "workflow")
    text = run(workflow, tmp_path / "films.tsv", "--dry-run", "--quiet", "rules")
    planned = dict(re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE))
    assert planned["prepare_film"] == "4472" and planned["observed_change"] == str(547 + 191)
    # Both methods, five seeds.
    assert planned["train_generator"] == "10" and planned["explain_generator"] == "10"
