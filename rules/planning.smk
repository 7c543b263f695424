# A plan of thousands of scans: what Snakemake 9.27 does for each job again is done once.
import atexit
import functools
import gc

import snakemake.common
import snakemake.rules
from snakemake.dag import ScriptProcessor

# A plan is hundreds of thousands of objects that live to the end. To look through them for garbage as often as Python
# does by itself is a tenth of the planning of a large study.
gc.set_threshold(20_000, 50, 100)
# Nor does a Snakemake that ends look through them once more: its memory goes back as a whole.
atexit.register(gc.freeze)


def once_a_rule(look):
    """A rule's script is read to see that it is there. The name of none depends on the job."""
    seen = set()

    def look_once(processor, job):
        if (processor.script_type, job.rule) not in seen:
            seen.add((processor.script_type, job.rule))
            look(processor, job)

    return look_once


ScriptProcessor.process_job = once_a_rule(ScriptProcessor.process_job)
# Which arguments a function of inputs, parameters or resources takes.
snakemake.common.get_function_params = functools.cache(snakemake.common.get_function_params)
snakemake.rules.get_function_params = snakemake.common.get_function_params
