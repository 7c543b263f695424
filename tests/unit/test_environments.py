"""The conda files pin what the lock pins."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_pins_are_those_of_the_lock(path):
    locked = set((ROOT / "requirements.lock").read_text().split())
    *_, last = yaml.safe_load(path.read_text())["dependencies"]
    assert last["pip"] and set(last["pip"]) <= locked


def test_every_rule_file_has_its_environment():
    used = {
        line.split("/envs/")[1].strip().strip('"')
        for rules in (ROOT / "rules").glob("*.smk")
        for line in rules.read_text().splitlines()
        if "/envs/" in line
    }
    assert used == {path.name for path in ENVIRONMENTS}
