import gc
import os

from snakemake.utils import min_version

min_version("9.27")

# A plan is hundreds of thousands of objects that live to the end. To look through them for garbage as often as Python
# does by itself is a tenth of the planning of a large study.
gc.set_threshold(20_000, 50, 100)

# A job's idle threads sleep: spinning until there is work again is a tenth of the CPU seconds of a training.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


configfile: f"{workflow.basedir}/config.yaml"


# With its own limit of jobs a second Snakemake 9.27 looks for jobs again a second after each look, for ever: after n jobs n
# times a second, and at its end it waits for the last look. A limit that a user sets holds.
onstart:
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


include: "rules/common.smk"
include: "rules/cluster.smk"


# In the order in which the data flow.
STAGES = {
    "gaussians": ["benchmark", "train", "explain", "benchmark_report"],
    "toy": ["benchmark", "train", "explain", "toy_report"],
    "films": ["films", "train", "explain", "longitudinal", "films_report"],
}.get(
    config["cohort"]["source"],
    [
        "cohort",
        "preprocess",
        "pack",
        "train",
        "explain",
        "longitudinal",
        "group",
        "roi",
        "sanity",
        "evaluate",
        "report",
    ],
)

for stage in STAGES:

    include: f"rules/{stage}.smk"


# After the rules: Snakemake looks for wildcards in a path before it puts pathvars in, and so sees those of a pathvar only
# in rules that are there already.
wildcard_constraints:
    scan="sub-[A-Za-z0-9]+(_ses-[A-Za-z0-9]+)?",
    folder="sub-[A-Za-z0-9]+(/ses-[A-Za-z0-9]+)?",
    method="[a-z_0-9]+",
    seed="[0-9]+(-shuffled)?",


rule all:
    default_target: True
    input:
        # Stages share inputs, and to look up each costs as much as the first time.
        list(dict.fromkeys(path for stage in STAGES for path in getattr(rules, stage).input)),
    localrule: True
