"""The profile of the cluster names what the rules hold, and asks for what they need."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"^(?:use rule (\w+) as|rule) (\w+)(?: with)?:.*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
PROFILE = yaml.safe_load((ROOT / "slurm/config.yaml").read_text())
# Rules that make a result anew in every project, and why. One that stands neither here nor has `cache: True` lost it.
NEVER_CACHED = {
    "fetch": "what it fetches is kept for all projects already",
    "bids_tables": "texts of the demo's dataset, a few a subject, in a moment",
    "derivatives_description": "a text of one line with the version that wrote it",
    "export_maps": "six files a scan, put out of arrays that are cached",
    "failures_table": "names the configuration files of this run",
    "table_page": "a page of a table, in a moment",
    "cost_table": "adds up the logs of this run",
    "about_page": "tells the versions that are installed, which are no part of the key",
}


def rules() -> dict[str, str]:
    """The text of every rule, by its name. One that uses another has its own `cache:` and `localrule:` or none."""
    files = sorted((ROOT / "rules").glob("*.smk"))
    return {match[2]: match[0] for path in files for match in RULE.finditer(path.read_text())}


def whole_text(rule: str) -> str:
    """The text of a rule, with that of the rule it uses."""
    text = rules()[rule]
    used = RULE.match(text)[1]
    return text + (whole_text(used) if used else "")


def sizes_of_groups() -> dict[str, int]:
    return {name: int(size) for name, size in (group.split("=") for group in PROFILE["group-components"])}


def test_every_rule_that_can_be_cached_is_named_for_slurm():
    named = yaml.safe_load((ROOT / "slurm/cached/config.yaml").read_text())["cache"]
    wanted = {name for name, text in rules().items() if "cache: True" in text}
    assert len(named) == len(set(named)) and set(named) == wanted


def test_every_rule_that_makes_something_is_cached_or_has_a_reason():
    makes = {name for name in rules() if "script:" in whole_text(name)}
    cached = {name for name, text in rules().items() if "cache: True" in text}
    assert len(makes) > 40 and makes - cached == NEVER_CACHED.keys()


def test_the_threads_of_a_cached_rule_are_in_its_key():
    threaded = [name for name, text in rules().items() if "threads:" in whole_text(name) and "cache: True" in text]
    assert {"train_classifier", "voxelwise", "voxelwise_tbm"} <= set(threaded)
    assert [name for name in threaded if 'threads=config["threads"]' not in rules()[name]] == []


def test_a_failed_job_is_tried_again_by_the_profile_alone_while_others_go_on():
    assert PROFILE["retries"] == 2 and PROFILE["keep-going"] is True
    assert [name for name, text in rules().items() if "retries:" in text] == []


def test_each_try_asks_for_more():
    made = {"config": {"device": "auto"}}
    exec((ROOT / "rules/cluster.smk").read_text(), made)
    assert [made["scaled"](4000)(None, attempt) for attempt in (1, 2, 3)] == [4000, 8000, 12000]
    assert [made["minutes"](240)(None, attempt) for attempt in (1, 2, 3)] == [240, 480, 480]
    wanted = {"mem_mb": "2000 * attempt", "runtime": "60 * min(attempt, 2)"}
    assert wanted.items() <= PROFILE["default-resources"].items()


def test_every_step_of_a_scan_is_in_a_group_with_a_time_of_its_own():
    assert set(sizes_of_groups()) == {"scan", "pair"}
    for name, text in rules().items():
        if "<scanlog>" in text:
            assert re.search(r'group:\s+"(scan|pair)"', text) and "runtime=minutes(" in text, name


def test_what_reads_the_network_or_its_files_runs_on_the_submitting_host():
    assert all("localrule: True" in rules()[name] for name in ("fetch", "atlas"))


def test_four_thousand_scans_with_the_default_methods_are_two_hundred_slurm_jobs_at_most(tmp_path):
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", tmp_path]
    done = subprocess.run([*command, "--dry-run", "--quiet", "rules"], capture_output=True, text=True, check=True)
    counts = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    mine = counts.keys() & rules().keys()
    single = [name for name in mine if "localrule: True" not in rules()[name] and "group:" not in whole_text(name)]
    assert {"pack", "train_classifier", "explain_saliency"} <= set(single)
    groups = 4000 // sizes_of_groups()["scan"] + 2000 // sizes_of_groups()["pair"]
    assert groups + sum(int(counts[name]) for name in single) <= 200
