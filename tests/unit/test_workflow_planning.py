"""What Counterwarp changes in Snakemake's planning finds what Snakemake finds."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from counterwarp.workflow.planning import PrefixesByLength, plan_thousands
from hypothesis import given
from hypothesis import strategies as st
from snakemake.common.prefix_lookup import PrefixLookup
from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence

NAMES = st.text(alphabet="ab/", max_size=6)
ROOT = Path(__file__).parents[2]
SNAKEFILE = """
from counterwarp.workflow.planning import plan_thousands
plan_thousands()
rule all:
    input: {files}
rule folder:
    output: directory("scan")
    shell: "mkdir {{output}}"
rule other:
    output: {files}
    shell: "touch {{output}}"
"""


def dry_run(folder, *files: str, arguments=()) -> subprocess.CompletedProcess:
    (folder / "Snakefile").write_text(SNAKEFILE.format(files=", ".join(map(repr, files))))
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@given(st.lists(st.tuples(NAMES, st.integers(0, 5)), min_size=1), NAMES)
def test_prefixes_found_by_their_length_are_those_that_snakemake_walks_to(entries, query):
    assert set(PrefixesByLength(entries).match_iter(query)) == set(PrefixLookup(entries).match_iter(query))


def test_every_prefix_of_a_file_is_found_and_no_other():
    lookup = PrefixesByLength([("", 1), ("results/", 2), ("results/sub-01", 3), ("results/sub-02", 4), ("results/", 5)])
    assert lookup.match("results/sub-01/x") == {1, 2, 3, 5}
    assert lookup.match("results") == {1}


@pytest.mark.parametrize("inside", ["scan/T1w.nii", "scan/anat/T1w.nii"])
def test_an_output_inside_of_another_jobs_folder_stops_a_run_and_both_are_named(tmp_path, inside):
    run = dry_run(tmp_path, inside, arguments=["all", "folder"])
    assert run.returncode and "is a child to another output" in run.stdout
    assert f"'{tmp_path}/scan', folder" in run.stdout and f"'{tmp_path}/{inside}', other" in run.stdout


def test_names_that_only_begin_like_a_folder_do_not_lie_inside(tmp_path):
    run = dry_run(tmp_path, "scan.json", "scan-2/T1w.nii", "scan 2", "scanner/T1w.nii", arguments=["all", "folder"])
    assert run.returncode == 0, run.stdout


def test_only_a_quiet_dry_run_leaves_out_the_jobs(tmp_path):
    said, quiet = dry_run(tmp_path, "a"), dry_run(tmp_path, "a", arguments=["--quiet", "rules"])
    assert "rule other:" in said.stdout and "output: a" in said.stdout
    assert "rule other:" not in quiet.stdout and "other        1" in quiet.stdout


def test_a_quiet_dry_run_still_says_what_goes_to_the_cache(tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path / "cache"))
    run = dry_run(tmp_path, "a", arguments=["--quiet", "rules", "--cache", "other"])
    assert "Output file a will be written to global between-workflow cache" in run.stdout, run.stdout + run.stderr


def test_notes_of_one_job_are_remembered_and_share_what_they_say_alike(tmp_path):
    plan_thousands()
    notes = FilePersistence(path=tmp_path)
    for key, rule, time in (("a", "export", 1.0), ("b", "export", 2.0), ("c", "pack", 3.0)):
        notes._write_record(key, MetadataRecord(rule=rule, input=[f"{rule} 1", f"{rule} 2"], endtime=time))
    first, second, third = map(notes._read_record, "abc")
    assert first.input is second.input and first.input == ["export 1", "export 2"]
    assert third.input == ["pack 1", "pack 2"]
    assert (first.endtime, second.endtime, third.rule) == (1.0, 2.0, "pack")
    assert notes._read_record("a") is first and notes._read_record("d") is None


def test_a_note_that_changed_is_read_again(tmp_path):
    plan_thousands()
    notes = FilePersistence(path=tmp_path)
    notes._write_record("a", MetadataRecord(input=["x"]))
    assert notes._read_record("a").input == ["x"]
    notes._write_record("a", MetadataRecord(input=["y"]))
    notes._clear_cache()
    assert notes._read_record("a").input == ["y"]


def test_the_oldest_output_says_when_a_job_was_done_and_a_newer_input_runs_it_again(tmp_path):
    made = dry_run(tmp_path, "a", "b")
    assert "other" in made.stdout
    for name, time in (("a", 2000), ("b", 1000)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace("output: 'a', 'b'", "input: 'c'\n    output: 'a', 'b'"))
    (tmp_path / "c").touch()
    for time, runs in ((900, False), (1500, True)):
        os.utime(tmp_path / "c", (time, time))
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", "--rerun-triggers", "mtime"]
        said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
        assert ("Updated input files: c" in said) == runs, said


@pytest.mark.parametrize("environment", ["'env.yaml'", "lambda wildcards, params: params.env"])
def test_an_environment_is_found_whether_a_function_chooses_it_or_not(tmp_path, environment):
    (tmp_path / "env.yaml").write_text("channels: [conda-forge]\ndependencies: [python]\n")
    rule = "rule other:\n    params: env='env.yaml'\n    conda: {}\n    output: 'a'\n    shell: 'touch a'\n"
    (tmp_path / "Snakefile").write_text(SNAKEFILE.split("rule all")[0] + rule.format(environment))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "a"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    plan_thousands()
    note = FilePersistence(path=tmp_path / ".snakemake")._read_record("a")
    assert base64.b64decode(note.conda_env).decode() == (tmp_path / "env.yaml").read_text()


def test_a_run_looks_for_garbage_from_its_start_on_and_not_while_it_plans(tmp_path):
    snakefile = f"""
import gc
include: "{ROOT}/rules/scheduling.smk"
print("planning", gc.isenabled())
onsuccess: print("garbage", gc.isenabled())
rule a:
    output: "a"
    shell: "touch a"
"""
    (tmp_path / "Snakefile").write_text(SNAKEFILE.split("rule all")[0] + snakefile)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "a"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "planning False" in run.stdout + run.stderr and "garbage True" in run.stdout + run.stderr
