# A plan of thousands of scans is made in a minute and not in two.
import gc

from snakemake.dag import ScriptProcessor

# A plan is hundreds of thousands of objects that live to the end. To look through them for garbage as often as Python
# does by itself is a tenth of the planning of a large study.
gc.set_threshold(20_000, 50, 100)


def once_a_rule(look, seen=set()):
    """Snakemake 9.27 reads the script of each job to see that it is there, but no script's name depends on the job."""

    def look_once(processor, job):
        if (processor.script_type, job.rule) not in seen:
            seen.add((processor.script_type, job.rule))
            look(processor, job)

    return look_once


ScriptProcessor.process_job = once_a_rule(ScriptProcessor.process_job)
