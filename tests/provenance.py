"""What Snakemake's between-workflow cache takes for the same: the provenance hash of every job, without running any.

Run as a program: Snakefile, working folder, file of answers (JSON: job -> hash), configuration files.
"""

import asyncio
import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.caching.hash import ProvenanceHashMap
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings


def hashes(snakefile: Path, folder: Path, configfiles: list[Path]) -> dict[str, str]:
    """Of each cacheable job of the workflow's graph, named as `rule output`, what its entry in the cache is called."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api:
        workflow = api.workflow(
            ResourceSettings(cores=1), ConfigSettings(configfiles=configfiles), snakefile=snakefile, workdir=folder
        )
        workflow.dag(DAGSettings(forceall=True)).execute_workflow(executor="dryrun")
        known = ProvenanceHashMap()
        dag = workflow._workflow.dag
        jobs = [job for job in dag.jobs if job.rule.cache and job.rule.cache.output]
        return {f"{job.rule.name} {job.output[0]}": asyncio.run(known.get_provenance_hash(job)) for job in jobs}


if __name__ == "__main__":
    snakefile, folder, answers, *configfiles = map(Path, sys.argv[1:])
    answers.write_text(json.dumps(hashes(snakefile, folder, configfiles)))
