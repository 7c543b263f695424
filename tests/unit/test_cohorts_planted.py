"""Who is made a patient, and which regions a planted disease changes."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.cohorts.planted import affected, check_plant, check_regions, draw_patients
from counterwarp.cohorts.sources import index
from counterwarp.errors import ConfigError

NAMES = ["hippocampus_L", "hippocampus_R", "insula_L", "insula_R", "brainstem"]


def people(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ages, sexes = rng.uniform(20, 80, n).round(1).astype(str), np.where(rng.random(n) < 0.5, "F", "M")
    return pd.DataFrame({"subject": [f"{i:02d}" for i in range(n)], "age": ages, "sex": sexes, "group": "x"})


def test_half_are_patients_and_of_two_neighbours_in_sex_and_age_one_is():
    drawn = draw_patients(people(40), 0.25, 3)
    drawn = drawn.assign(age=drawn["age"].astype(float)).sort_values(["sex", "age"])
    assert (drawn["group"] == "patient").sum() == 20
    assert ((drawn["group"] == "patient").to_numpy().reshape(20, 2).sum(1) == 1).all()
    assert ((drawn["severity"] > 0) == (drawn["group"] == "patient")).all()
    assert drawn.loc[drawn["group"] == "patient", "severity"].between(0.3, 2).all()


def test_the_draw_depends_on_the_seed_alone_and_chance_decides():
    one, again, other = (draw_patients(people(40), 0.25, seed)["group"] for seed in (1, 1, 2))
    assert one.equals(again) and not one.equals(other)
    # Every subject is a patient about half of the time: 5 sd of 200 draws are 0.18.
    share = np.mean([draw_patients(people(11), 0.25, seed)["group"] == "patient" for seed in range(200)], axis=0)
    assert np.abs(share - 0.5).max() < 0.18


def test_a_region_is_named_with_its_side_or_without():
    wanted = affected(NAMES, {"hippocampus": -0.2, "insula_R": 0.1})
    assert wanted == {"hippocampus_L": -0.2, "hippocampus_R": -0.2, "insula_L": 0, "insula_R": 0.1, "brainstem": 0}
    check_regions(NAMES, {"hippocampus": -0.2, "insula_R": 0.1, "brainstem": 0.1})
    with pytest.raises(ConfigError, match=r"no region 'cortex'; the template has brainstem, hippocampus, insula"):
        check_regions(NAMES, {"cortex": 0.1})


def test_nothing_is_planted_in_simulated_heads():
    plant = {"regions": {"hippocampus": -0.2}}
    with pytest.raises(ConfigError, match="not demo"):
        check_plant({"source": "demo", "plant": plant}, [])
    check_plant({"source": "demo", "plant": {"regions": {}}}, [])


@pytest.mark.parametrize(("among", "expected"), [("control", 6), ("all", 12)])
def test_one_scan_of_each_subject_is_taken_whatever_its_group(tmp_path, among, expected):
    rows = [
        {"subject": f"{i:02d}", "session": session, "path": f"{i}_{session}.nii.gz", "group": "hc" if i % 2 else "ms"}
        | {"age": 30 + i, "sex": "female"}
        for i in range(12)
        for session in ("1", "2")
    ]
    for row in rows:
        (tmp_path / row["path"]).touch()
    pd.DataFrame(rows).to_csv(tmp_path / "scans.tsv", sep="\t", index=False)
    cohort = {
        "source": "table",
        "path": str(tmp_path / "scans.tsv"),
        "columns": {"group": "group", "age": "age", "sex": "sex"},
        "labels": {"hc": "control", "xx": "patient"},
        "plant": {"regions": {"hippocampus": -0.2}, "among": among, "severity_sd": 0.25},
        "seed": 1,
        "validation_share": 0.3,
        "test_share": 0.3,
        "folds": 1,
    }
    left_out = []
    scans = index(cohort, "", leave_out=lambda name, reason: left_out.append(reason))
    assert len(scans) == expected == scans["subject"].nunique() and set(scans["session"]) == {"1"}
    assert (scans["group"] == "patient").sum() == expected / 2 and set(scans["sex"]) == {"F"}
    assert any("first scan" in reason for reason in left_out)
