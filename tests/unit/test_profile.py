"""The profile of the cluster names what the rules hold."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"^(?:use rule \w+ as|rule) (\w+)(?: with)?:.*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def rules() -> dict[str, str]:
    """The text of every rule, by its name. One that uses another has its own `cache:` and `localrule:` or none."""
    files = sorted((ROOT / "rules").glob("*.smk"))
    return {match[1]: match[0] for path in files for match in RULE.finditer(path.read_text())}


def test_every_rule_that_can_be_cached_is_named_for_slurm():
    named = yaml.safe_load((ROOT / "slurm/cached/config.yaml").read_text())["cache"]
    wanted = {name for name, text in rules().items() if "cache: True" in text}
    assert len(named) == len(set(named)) and set(named) == wanted


def test_every_step_of_a_scan_is_in_a_group_with_a_time_of_its_own():
    groups = yaml.safe_load((ROOT / "slurm/config.yaml").read_text())["group-components"]
    sizes = dict(group.split("=") for group in groups)
    # More than a hundred jobs of one 4,000-scan cohort would be too many beside its others.
    assert set(sizes) == {"scan", "pair"} and 4000 / int(sizes["scan"]) <= 100 and 2000 / int(sizes["pair"]) <= 50
    for name, text in rules().items():
        if "<scanlog>" in text:
            assert re.search(r'group:\s+"(scan|pair)"', text) and "runtime=scaled(" in text, name


def test_what_reads_the_network_or_its_files_runs_on_the_submitting_host():
    assert all("localrule: True" in rules()[name] for name in ("fetch", "atlas"))
