"""What Counterwarp changes in Snakemake's planning finds what Snakemake finds."""

import base64
import logging
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from counterwarp.workflow.planning import READ_NOTE, PrefixesByLength, plan_thousands, read_note, unless_plain
from hypothesis import given
from hypothesis import strategies as st
from snakemake.common.prefix_lookup import PrefixLookup
from snakemake.io import ExistsDict, IOFile, check
from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence

NAMES = st.text(alphabet="ab/", max_size=6)
FOLDER_AND_FILES = """
rule all:
    input: {files}
rule folder:
    output: directory("scan")
    shell: "mkdir {{output}}"
rule other:
    output: {files}
    shell: "touch {{output}}"
"""


def run_of(folder, rules: str, *arguments: str) -> subprocess.CompletedProcess:
    plan = "from counterwarp.workflow.planning import plan_thousands\nplan_thousands()\n"
    (folder / "Snakefile").write_text(plan + rules)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@contextmanager
def warnings_of_snakemake():
    """A list that is filled with what Snakemake warns of."""
    warnings = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = warnings.append
    logging.getLogger("snakemake").addHandler(handler)
    try:
        yield warnings
    finally:
        logging.getLogger("snakemake").removeHandler(handler)


def dry_run(folder, *files: str, arguments=()) -> subprocess.CompletedProcess:
    return run_of(folder, FOLDER_AND_FILES.format(files=", ".join(map(repr, files))), "--dry-run", *arguments)


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
    for name, time in (("a", 2000), ("b", 1000)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    (tmp_path / "c").touch()
    rule = "rule other:\n    input: 'c'\n    output: 'a', 'b'\n    shell: 'touch {output}'\n"
    for time, runs in ((900, False), (1500, True)):
        os.utime(tmp_path / "c", (time, time))
        said = run_of(tmp_path, rule, "--dry-run", "--rerun-triggers", "mtime").stdout
        assert ("Updated input files: c" in said) == runs, said


@pytest.mark.parametrize("environment", ["'env.yaml'", "lambda wildcards, params: params.env"])
def test_an_environment_is_found_whether_a_function_chooses_it_or_not(tmp_path, environment):
    (tmp_path / "env.yaml").write_text("channels: [conda-forge]\ndependencies: [python]\n")
    rule = "rule other:\n    params: env='env.yaml'\n    conda: {}\n    output: 'a'\n    shell: 'touch a'\n"
    run = run_of(tmp_path, rule.format(environment), "a")
    assert run.returncode == 0, run.stderr
    plan_thousands()
    note = FilePersistence(path=tmp_path / ".snakemake")._read_record("a")
    assert base64.b64decode(note.conda_env).decode() == (tmp_path / "env.yaml").read_text()


@pytest.mark.parametrize(("arguments", "looks"), [([], True), (["--dry-run"], False)])
def test_a_run_looks_for_garbage_once_it_has_planned_and_a_dry_run_never(tmp_path, arguments, looks):
    rules = """
import atexit, gc
atexit.register(lambda: print("garbage", gc.isenabled()))
print("planning", gc.isenabled())
rule a:
    output: "a"
    shell: "touch a"
"""
    run = run_of(tmp_path, rules, "a", *arguments)
    assert run.returncode == 0, run.stderr
    assert "planning False" in run.stdout and f"garbage {looks}" in run.stdout, run.stdout


def test_jobs_of_one_rule_run_the_scripts_that_their_wildcards_name(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.py").write_text(f"open(snakemake.output[0], 'w').write('by {name}')")
    rule = "rule all:\n    input: 'a', 'b'\nrule each:\n    output: '{name}'\n    script: '{wildcards.name}.py'\n"
    run = run_of(tmp_path, rule)
    assert run.returncode == 0, run.stderr
    assert [(tmp_path / name).read_text() for name in "ab"] == ["by a", "by b"]


def test_all_jobs_of_a_rule_run_again_once_their_script_is_newer(tmp_path):
    script = tmp_path / "make.py"
    script.write_text("open(snakemake.output[0], 'w')")
    rule = "rule all:\n    input: 'a', 'b'\nrule each:\n    output: '{name}'\n    script: 'make.py'\n"
    assert run_of(tmp_path, rule).returncode == 0
    assert "Nothing to be done" in run_of(tmp_path, rule, "--dry-run").stdout
    later = script.stat().st_mtime + 60
    os.utime(script, (later, later))
    run = run_of(tmp_path, rule, "--dry-run")
    assert "each         2" in run.stdout and "Code has changed" in run.stdout, run.stdout


RESOURCES = """
from counterwarp.workflow.planning import of_try_alone
rule all:
    input: "1", "3"
rule each:
    output: "{{number}}"
    resources:
        lanes={lanes},
        mem_mb=of_try_alone(lambda wildcards, attempt: 100 * attempt),
    shell: "echo {{resources.lanes}} {{resources.mem_mb}} > {{output}}; test {{resources.mem_mb}} = 200"
"""


@pytest.mark.parametrize(
    ("lanes", "arguments", "expected"),
    [
        ("7", [], ["7 200", "7 200"]),
        ("lambda wildcards: int(wildcards.number)", [], ["1 200", "3 200"]),
        ("7", ["--set-resources", "each:lanes=2 * attempt"], ["4 200", "4 200"]),
        ("7", ["--set-resources", "each:lanes=2 * int(wildcards.number)"], ["2 200", "6 200"]),
    ],
)
def test_resources_are_those_of_the_job_and_of_the_try(tmp_path, lanes, arguments, expected):
    run = run_of(tmp_path, RESOURCES.format(lanes=lanes), "--retries", "1", *arguments)
    assert run.returncode == 0, run.stderr
    assert [(tmp_path / number).read_text().strip() for number in "13"] == expected


@given(st.text(alphabet="ab./ {}\n=-_,", max_size=8))
def test_no_dubious_name_is_taken_for_a_plain_one(name):
    looked_at, file = [], IOFile(name)
    with warnings_of_snakemake() as warnings:
        check(file._file)
    unless_plain(looked_at.append)(file)
    assert looked_at or not warnings


def test_a_plain_name_is_not_looked_at_and_a_dubious_one_is():
    looked_at = []
    look = unless_plain(lambda file: looked_at.append(str(file)))
    for name in ("results/x/sub-01_T1w.nii.gz", "/scratch/a.tsv", "./a", "a//b", "a b", "a/{scan}"):
        look(IOFile(name))
    assert looked_at == ["./a", "a//b", "a b", "a/{scan}"]


def test_files_of_an_inventory_are_known_and_no_others():
    plan_thousands()
    known = ExistsDict(None)
    known["a"] = True
    assert "a" in known and "b" not in known and IOFile("scan/b") not in known
    known.has_inventory.add("scan")
    assert IOFile("scan/b") in known and not known[IOFile("scan/b")] and IOFile("other/b") not in known


def test_a_note_read_in_one_go_is_what_snakemake_reads(tmp_path):
    notes = FilePersistence(path=tmp_path)
    note = {
        "rule": "Jülich",
        "job_hash": -(2**62),
        "starttime": 1769817600.1234567,
        "params": ["0.1", None, {"a": [1]}],
    }
    notes._write_record("a", MetadataRecord(**note, input=["x" * 300], input_checksums={"x": "1"}))
    assert read_note(notes, "a") == READ_NOTE(notes, "a") and read_note(notes, "a").starttime == note["starttime"]
    assert read_note(notes, "b") is None


def test_a_note_cut_off_in_the_middle_counts_as_none_and_is_named(tmp_path):
    notes = FilePersistence(path=tmp_path)
    notes._write_record("a", MetadataRecord(rule="a"))
    path = Path(notes._record_path(notes._metadata_path, "a"))
    path.write_text(path.read_text()[:20])
    with warnings_of_snakemake() as warnings:
        assert read_note(notes, "a") is None
    assert [warning.getMessage() for warning in warnings] == [
        f"Ignore corrupted or currently written metadata record {path}."
    ]
