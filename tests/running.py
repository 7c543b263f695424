"""Run the workflow as a user does, in a folder of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests/workflow/tiny.yaml"
CODE = ("Snakefile", "config.yaml", "rules", "schemas", "envs", "report", "experiments", "slurm", "workflow_scripts")
STAGES = ["cohort", "preprocess", "train", "explain", "longitudinal", "group", "roi", "sanity", "evaluate", "report"]
TARGETS = {"all", *STAGES}


class Workflow:
    """A copy of the workflow's code, and a folder to run it in."""

    def __init__(self, folder: Path):
        self.code = folder / "code"
        self.folder = folder / "run"
        self.results = self.folder / "results/tiny"
        self.temporary = folder / "temporary"
        self.code.mkdir(parents=True)
        self.folder.mkdir()
        self.temporary.mkdir()
        for name in CODE:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.code / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.code / name)

    def run(self, *arguments, configfiles=(), check=True) -> str:
        """What snakemake prints; with `check`, a failure of snakemake fails the test."""
        return self.call("--cores", "2", "--configfile", TINY, *configfiles, *arguments, check=check)

    def call(self, *arguments, check=True, cwd=None) -> str:
        """As `run`, with these arguments alone, and from this folder."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", self.code / "Snakefile"]
        command += ["--directory", self.folder, *arguments]
        done = subprocess.run(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=cwd,
            env=os.environ
            | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TMPDIR": str(self.temporary)},
        )
        self.returncode = done.returncode
        if check and done.returncode:
            pytest.fail(f"snakemake returned {done.returncode}:\n{done.stdout[-6000:]}")
        return done.stdout

    def rules_to_run(self, *arguments) -> set[str]:
        """The rules that a dry run would start, without the named targets."""
        text = self.run("--dry-run", *arguments)
        return set(re.findall(r"^\s*(?:local)?rule (\w+):", text, re.MULTILINE)) - TARGETS

    def rules_after_change(self, module: str) -> set[str]:
        """The rules that would run were this module of the library another one."""
        path = self.code / "workflow_scripts/counterwarp" / module
        original = path.read_text()
        path.write_text(original + "\n# changed\n")
        try:
            return self.rules_to_run()
        finally:
            path.write_text(original)
