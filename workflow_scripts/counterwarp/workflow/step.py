"""One step of the workflow: its log, its atomic outputs, and what happens when it fails.

A step of one scan that fails writes a failure record in place of each of its outputs. Later steps of that scan find
the record among their inputs and pass it on, so the other scans are never held up, nothing half written is left, and
the failures table can say which scan failed, where and why.
"""

import json
import logging
import os
import platform
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from counterwarp.errors import BrokenFileError, CounterwarpError

LOG = logging.getLogger("counterwarp")
MARK = b'{"counterwarp_failure"'


def read_failure(path: str | Path) -> dict | None:
    """The failure record in place of a file (scan, rule, reason, rerun), or None where the file is a real one."""
    with open(path, "rb") as file:
        if file.read(len(MARK)) != MARK:
            return None
    return json.loads(Path(path).read_text())["counterwarp_failure"]


def write_failure(failure: dict, path: str | Path) -> None:
    """Write a failure record (scan, rule, reason, rerun: Snakemake's arguments that try again) in place of a file."""
    Path(path).write_text(json.dumps({"counterwarp_failure": failure}))


def rerun_in(results: str, failure: dict) -> str:
    """Snakemake's arguments that try a failed step again in these results.

    Args:
        results: the folder, as results/experiment.
        failure: a record; one from a shared cache names the file in the results of the project that met it.
    """
    return re.sub(r"(?<= -- )results/[^/]+(?=/)", lambda _: results, failure["rerun"])


def not_used_record(scan: str) -> dict:
    """The failure record of a scan that did not fail and is not used."""
    return {"scan": scan, "rule": "exclusions", "reason": "not used: tables/exclusions.tsv says why", "rerun": ""}


def log_speed(method: str, seed: str, scans: int, seconds: float) -> None:
    """Log how long a method took to explain some scans, for the table of speeds."""
    speed = {"method": method, "seed": seed, "scans": scans, "seconds": round(seconds, 4)}
    LOG.info("speed %s", json.dumps(speed))


def without_failures(names: list[str], paths: list[str]) -> dict[str, str]:
    """name -> path of those files that are no failure records."""
    return {name: path for name, path in zip(names, paths, strict=True) if read_failure(path) is None}


def scan_step(snakemake, work: Callable[[SimpleNamespace, SimpleNamespace], None]) -> None:
    """Run one step of one scan.

    Args:
        snakemake: the script's snakemake object; its rule needs a `scan` wildcard and named inputs and outputs.
        work: called with the named inputs and (still temporary) outputs as attributes; it writes every output.

    A scan that failed before, or fails here, gets a failure record as each of its outputs and the step succeeds. Faults
    of the machine (no memory, full disk, a broken file of another step) stop it, because another try may help.
    """
    _share_cores(snakemake.threads)
    with _Log(snakemake):
        failure = next(filter(None, map(read_failure, _files(snakemake.input))), None)
        if failure:
            LOG.warning("passed on: %s failed in %s: %s", failure["scan"], failure["rule"], failure["reason"])
        else:
            try:
                _write_atomically(snakemake, work)
            except (OSError, MemoryError):
                raise
            except BrokenFileError as error:
                _stop(snakemake, error)
            except Exception as error:
                failure = _failure_record(snakemake, error)
        if failure:
            _write_atomically(snakemake, lambda _, outputs: _write_all(outputs, failure))


def cohort_step(snakemake, work: Callable[[SimpleNamespace, SimpleNamespace], None], shared: bool = False) -> None:
    """Run one step of the whole cohort; as `scan_step`, but an error stops the step with one clear message.

    Args:
        snakemake, work: as `scan_step`.
        shared: whether another project may write the same outputs at the same time.
    """
    _share_cores(snakemake.threads)
    with _Log(snakemake):
        try:
            _write_atomically(snakemake, work, shared)
        except CounterwarpError as error:
            _stop(snakemake, error)


def _stop(snakemake, error: CounterwarpError) -> None:
    LOG.error("%s", error)
    sys.exit(f"{snakemake.rule}: {error}")


def _failure_record(snakemake, error: Exception) -> dict:
    known = isinstance(error, CounterwarpError)
    LOG.error("%s failed: %s", snakemake.wildcards.scan, error, exc_info=None if known else error)
    reason = str(error) if known else f"{type(error).__name__}: {error} (traceback in {snakemake.log[0]})"
    return {
        "scan": snakemake.wildcards.scan,
        "rule": snakemake.rule,
        "reason": " ".join(reason.split()),
        "rerun": f"--forcerun {snakemake.rule} -- {snakemake.output[0]}",
    }


def _write_all(outputs: SimpleNamespace, failure: dict) -> None:
    for value in vars(outputs).values():
        for path in [value] if isinstance(value, str) else value:
            write_failure(failure, path)


def _files(names) -> list[str]:
    """Those that can be read; of others the work itself says what is wrong."""
    return [path for path in names if os.path.isfile(path) and os.access(path, os.R_OK)]


def _write_atomically(snakemake, work: Callable, shared: bool = False) -> None:
    """Outputs are written in a folder of the job's own beside their place, and moved there when all are complete.

    Temporary files lie in that folder too, so that the next try also takes away those of a job that was killed. A named
    output is a path or a list of paths; `work` sees the same shape.
    """
    scratch = _scratch(os.path.abspath(snakemake.output[0]), shared)
    final = {}

    def unfinished(path: str) -> str:
        place = os.path.join(scratch, str(len(final)), os.path.basename(path))
        os.makedirs(os.path.dirname(place))
        final[place] = path
        return place

    outputs = {
        name: unfinished(value) if isinstance(value, str) else [unfinished(path) for path in value]
        for name, value in snakemake.output.items()
    }
    try:
        with _temporary_files_in(scratch):
            work(SimpleNamespace(**dict(snakemake.input.items())), SimpleNamespace(**outputs))
        missing = [path for place, path in final.items() if not os.path.exists(place)]
        if missing:
            raise RuntimeError(f"{snakemake.rule} did not write {', '.join(missing)}")
        for place, path in final.items():
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
            os.replace(place, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _scratch(output: str, shared: bool) -> str:
    """An empty folder beside an output. Where projects share that place, one that no other job has."""
    folder, name = os.path.split(output)
    # Some programs look for an image's suffix anywhere in its path.
    name = name.replace(".", "_")
    os.makedirs(folder, exist_ok=True)
    if shared:
        return tempfile.mkdtemp(prefix=f".unfinished-{name}-", dir=folder)
    scratch = os.path.join(folder, f".unfinished-{name}")
    # A try that was killed could not tidy up.
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    return scratch


@contextmanager
def _temporary_files_in(folder: str) -> Iterator[None]:
    """Have temporary files written in a folder, by this process and by the programs that it starts."""
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = folder
    try:
        yield
    finally:
        tempfile.tempdir, of_programs = before
        os.environ.pop("TMPDIR")
        os.environ |= {"TMPDIR": of_programs} if of_programs else {}


def peak_memory_mb() -> float:
    """Most memory that this process has held. Linux counts getrusage's from before the program was started."""
    status = Path("/proc/self/status")
    if status.exists():
        kilobytes = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(kilobytes[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _share_cores(threads: int) -> None:
    """Have ITK take as many threads as the job was given; Snakemake does the same for torch and BLAS.

    ITK looks when its first filter runs. Left alone, it takes every core of the node.
    """
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(threads)


def place() -> str:
    """Where this job runs: the host, and on a cluster the partition."""
    partition = os.environ.get("SLURM_JOB_PARTITION")
    return f"{platform.node()} ({partition})" if partition else platform.node()


class _Log:
    """The step's log file: what runs where, and at the end how long it took and how much memory it needed."""

    def __init__(self, snakemake):
        self.rule = snakemake.rule
        handlers = [logging.StreamHandler()]
        if snakemake.log:
            handlers.append(logging.FileHandler(snakemake.log[0], mode="w"))
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=handlers, force=True
        )
        logging.getLogger().setLevel(logging.WARNING)
        LOG.setLevel(logging.INFO)
        handlers[0].setLevel(logging.WARNING)

    def __enter__(self):
        self.start = time.monotonic()
        LOG.info("%s starts on %s, process %d", self.rule, place(), os.getpid())

    def __exit__(self, kind, error, traceback):
        own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        cost = {
            "rule": self.rule,
            "state": "failed" if error else "finished",
            "place": place(),
            "wall_s": round(time.monotonic() - self.start, 2),
            "cpu_s": round(own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, 2),
            "peak_mb": round(peak_memory_mb(), 1),
        }
        if kind is not None and kind is not SystemExit:
            LOG.error("%s failed", self.rule, exc_info=(kind, error, traceback))
        LOG.info("cost %s", json.dumps(cost))
        return False
