"""A plan of thousands of scans: what Snakemake 9.27 does for each job again is done once, or looked up.

Nothing of what it finds changes. A new version of Snakemake is to be compared with each function here.
"""

import atexit
import functools
import gc
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import pairwise

# Before its parts, which import each other in a circle.
import snakemake.api
import snakemake.common
import snakemake.output_index
import snakemake.rules
from snakemake.common.prefix_lookup import PrefixLookup
from snakemake.dag import DAG, ScriptProcessor
from snakemake.exceptions import ChildIOException
from snakemake.executors import dryrun
from snakemake.io import _IOFile
from snakemake.jobs import Job
from snakemake.persistence.file import FilePersistence
from snakemake.settings.types import Quietness


@functools.cache
def plan_thousands() -> None:
    """Change this process's Snakemake, once."""
    # A plan is hundreds of thousands of objects that live to the end. To look through them for garbage as often as
    # Python does by itself is a tenth of the planning of a large study. A run does so from its start on, seldom.
    gc.disable()
    gc.set_threshold(20_000, 50, 100)
    # Nor does a Snakemake that ends look through them once more: its memory goes back as a whole.
    atexit.register(gc.freeze)
    ScriptProcessor.process_job = once_a_rule(ScriptProcessor.process_job)
    # Which arguments a function of inputs, parameters or resources takes.
    snakemake.common.get_function_params = functools.cache(snakemake.common.get_function_params)
    snakemake.rules.get_function_params = snakemake.common.get_function_params
    snakemake.output_index.PrefixLookup = PrefixesByLength
    Job.conda_env_spec = property(unless_chosen_by_a_function(Job.conda_env_spec.fget))
    Job.output_mintime = property(output_mintime)
    _IOFile.is_storage = property(is_storage)
    DAG.check_directory_outputs = check_directory_outputs
    dryrun.Executor.printjob = unless_quiet(dryrun.Executor.printjob)
    FilePersistence._read_record_cached = remembered(FilePersistence._read_record_cached.__wrapped__)


def once_a_rule(look: Callable) -> Callable:
    """A rule's script is read to see that it is there. The name of none depends on the job."""
    seen = set()

    def look_once(processor, job):
        if (processor.script_type, job.rule) not in seen:
            seen.add((processor.script_type, job.rule))
            look(processor, job)

    return look_once


def unless_chosen_by_a_function(look: Callable) -> Callable:
    """A rule's environment is that of its jobs: only a function that chooses it has to know a job's params."""

    def conda_env_spec(job):
        return look(job) if callable(job.rule.conda_env) else job.rule.expand_conda_env(job.wildcards_dict)

    return conda_env_spec


async def output_mintime(job: Job) -> float | None:
    """When the oldest output of a job was made, in seconds: one after the other, for which no tasks are begun."""
    files = [*job.output, *filter(None, [job.benchmark])]
    return min([(await file.mtime()).local_or_storage() for file in files if await file.exists()], default=None)


def is_storage(file: _IOFile) -> bool:
    """Whether a file lies in remote storage; asked often of each, so without a look at its class."""
    return bool(getattr(file._file, "flags", {}).get("storage_object"))


class PrefixesByLength(PrefixLookup):
    """Which outputs begin as a file does: one look for each length of a beginning, no walk among its neighbours."""

    def __init__(self, entries):
        super().__init__(entries)
        self._of_prefix = dict(self._entries)
        self._lengths = sorted({len(prefix) for prefix in self._of_prefix})

    def match_iter(self, query: str) -> Iterator[tuple]:
        """(prefix, value) of each entry whose prefix the query begins with."""
        for length in self._lengths[: bisect_right(self._lengths, len(query))]:
            prefix = query[:length]
            for value in self._of_prefix.get(prefix, ()):
                yield prefix, value


def check_directory_outputs(dag: DAG) -> None:
    """Raise a ChildIOException where an output lies inside of another job's: compared as text, and not as paths."""
    # A zero byte sorts before all else, so that what lies in a folder comes right behind it.
    places = sorted(((os.path.abspath(file) + "/").replace("/", "\0"), job) for job in dag.jobs for file in job.output)
    for (folder, its_job), (place, job) in pairwise(places):
        if its_job != job and place != folder and place.startswith(folder):
            raise ChildIOException(parent=(_path(folder), its_job), child=(_path(place), job))


def _path(place: str) -> str:
    return place[:-1].replace("\0", "/")


def unless_quiet(print_job: Callable) -> Callable:
    """What a dry run would say of a job is not put together where it was told not to; of the cache it still tells."""

    def print_unless_quiet(executor, job):
        if Quietness.RULES not in (executor.workflow.output_settings.quiet or ()):
            print_job(executor, job)
        else:
            for each in job.jobs if job.is_group() else [job]:
                executor.printcache(each)

    return print_unless_quiet


def remembered(read: Callable) -> Callable:
    """Notes are asked for six times over all outputs of a job, thousands for exported maps; Snakemake keeps only 128.

    Those of one job share what they say alike, so that they take little memory.
    """
    latest = {}

    @functools.lru_cache(2**15)
    def read_once(persistence, key):
        note = read(persistence, key)
        for name in ("input", "params", "code", "conda_env") if note else ():
            if getattr(note, name) != latest.get(name):
                latest[name] = getattr(note, name)
            setattr(note, name, latest.get(name))
        return note

    return read_once
