"""A plan of thousands of scans: what Snakemake 9.27 does for each job again is done once, or looked up.

Nothing of what it finds changes. A new version of Snakemake is to be compared with each function here.
"""

import atexit
import functools
import gc
import os
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import pairwise

# Before its parts, which import each other in a circle.
import snakemake.api
import snakemake.common
import snakemake.output_index
import snakemake.rules
from pydantic_core import from_json
from snakemake.common.prefix_lookup import PrefixLookup
from snakemake.dag import DAG, ScriptProcessor
from snakemake.exceptions import ChildIOException
from snakemake.executors import dryrun
from snakemake.io import ExistsDict, _IOFile
from snakemake.iocontainers import ResourceList
from snakemake.jobs import Job
from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence
from snakemake.resources import Resource
from snakemake.rules import Rule
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.types import Quietness

READ_NOTE = FilePersistence._read_record_cached.__wrapped__


@functools.cache
def plan_thousands() -> None:
    """Change this process's Snakemake, once."""
    # A plan is hundreds of thousands of objects that live to the end. To look through them for garbage as often as
    # Python does by itself is a tenth of the planning of a large study. A run does so once it has planned, seldom.
    gc.disable()
    gc.set_threshold(20_000, 50, 100)
    JobScheduler.schedule = looking_for_garbage(JobScheduler.schedule)
    # Nor does a Snakemake that ends look through them once more: its memory goes back as a whole.
    atexit.register(gc.freeze)
    ScriptProcessor.process_job = once_a_rule(ScriptProcessor.process_job)
    # Which arguments a function of inputs, parameters or resources takes.
    snakemake.common.get_function_params = functools.cache(snakemake.common.get_function_params)
    snakemake.rules.get_function_params = snakemake.common.get_function_params
    snakemake.output_index.PrefixLookup = PrefixesByLength
    Job._path_to_source_file = unless_named_by_wildcards(Job._path_to_source_file)
    Rule.expand_resources = once_a_try(Rule.expand_resources)
    Job.conda_env_spec = property(unless_chosen_by_a_function(Job.conda_env_spec.fget))
    Job.output_mintime = property(output_mintime)
    _IOFile.is_storage = property(is_storage)
    _IOFile.check = unless_plain(_IOFile.check)
    ExistsDict.__contains__ = is_known
    DAG.check_directory_outputs = check_directory_outputs
    dryrun.Executor.printjob = unless_quiet(dryrun.Executor.printjob)
    FilePersistence._read_record_cached = remembered(read_note)


def looking_for_garbage(schedule: Callable) -> Callable:
    """A run may last for days. A dry run ends as soon as it has gone through its plan."""

    def schedule_looking(scheduler):
        if not scheduler.workflow.dryrun:
            gc.enable()
        return schedule(scheduler)

    return schedule_looking


def once_a_rule(look: Callable) -> Callable:
    """A rule's script is read to see that it is there. The name of none depends on the job."""
    seen = set()

    def look_once(processor, job):
        if (processor.script_type, job.rule) not in seen:
            seen.add((processor.script_type, job.rule))
            look(processor, job)

    return look_once


def unless_named_by_wildcards(find: Callable) -> Callable:
    """Where a rule's script lies does not depend on the job, unless its name has wildcards or params in it."""
    found = {}

    def find_once(job, path):
        if "{" in str(path):
            return find(job, path)
        if (job.rule, path) not in found:
            found[job.rule, path] = find(job, path)
        return found[job.rule, path]

    return find_once


def of_try_alone(function: Callable) -> Callable:
    """Say of a function of a resource that it needs no wildcards, so that it is the same for all jobs of its rule."""
    function.of_try_alone = True
    return function


def once_a_try(expand: Callable) -> Callable:
    """The resources of all jobs of a rule at the same try, where nothing but the try decides them."""
    found, alike = {}, {}

    def expand_once(rule, wildcards, input, attempt, skip_evaluation=()):
        if rule not in alike:
            alike[rule] = all(map(_is_of_try_alone, rule.resources.values()))
        if not alike[rule]:
            return expand(rule, wildcards, input, attempt, skip_evaluation)
        key = rule, attempt, *sorted(skip_evaluation or ())
        if key not in found:
            found[key] = expand(rule, wildcards, input, attempt, skip_evaluation)
        return ResourceList(found[key])

    return expand_once


def _is_of_try_alone(resource: Resource) -> bool:
    if getattr(resource._evaluator, "of_try_alone", False) or not resource.is_evaluable():
        return True
    # An expression of a profile or of the command line.
    return isinstance(resource.raw, str) and not re.search("wildcards|input", resource.raw)


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


def unless_plain(check: Callable) -> Callable:
    """A file's name is looked at for what is dubious, unless it is a plain path, in which nothing can be."""
    is_plain = re.compile(r"(?!\./)/?(?:[\w.=-]+/)*[\w.=-]+").fullmatch

    def check_unless_plain(file):
        if not (isinstance(file._file, str) and is_plain(file._file)):
            check(file)

    return check_unless_plain


def is_known(known: ExistsDict, path) -> bool:
    """Whether it was looked whether a file is there: a storage's inventory is asked only where there is one."""
    if dict.__contains__(known, path):
        return True
    inventories = known.has_inventory
    return bool(inventories) and isinstance(path, _IOFile) and path.get_inventory_parent() in inventories


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


def read_note(notes: FilePersistence, key: str) -> MetadataRecord | None:
    """What Snakemake noted of an output, read in one go; what is not quite as it should be, in Snakemake's own way."""
    try:
        with open(notes._record_path(notes._metadata_path, key), "rb", buffering=0) as file:
            return MetadataRecord.model_validate(from_json(file.readall()))
    except (OSError, ValueError):
        return READ_NOTE(notes, key)


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
