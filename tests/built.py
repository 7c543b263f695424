"""Make a workflow look as if it had run: an empty file for every output, and what Snakemake notes when a job has ended.

Run as a program: Snakefile, working folder, configuration files. No job runs. Outputs are made in the order of the
jobs, so that none is older than its inputs; temporary ones are noted and not made, as after a run.
"""

import asyncio
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.io import is_flagged
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings


def build(snakefile: Path, folder: Path, configfiles: list[Path]) -> int:
    """Returns the number of jobs."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api:
        workflow = api.workflow(
            ResourceSettings(cores=1), ConfigSettings(configfiles=configfiles), snakefile=snakefile, workdir=folder
        )
        workflow.dag(DAGSettings(forceall=True)).execute_workflow(executor="dryrun")
        dag = workflow._workflow.dag
        asyncio.run(note(dag))
        return len(list(dag.jobs))


async def note(dag) -> None:
    """Make the outputs of all jobs of a graph and write Snakemake's records of them."""
    for level in dag.toposorted():
        for job in level:
            for file in job.output:
                if not is_flagged(file, "temp"):
                    file.touch_or_create()
            await dag.workflow.persistence.finished(job)


if __name__ == "__main__":
    snakefile, folder, *configfiles = map(Path, sys.argv[1:])
    print(build(snakefile, folder, configfiles))
