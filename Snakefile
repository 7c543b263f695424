import os

from snakemake.utils import min_version

min_version("9.27")

# A job's idle threads sleep: spinning until there is work again is a tenth of the CPU seconds of a training.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


configfile: f"{workflow.basedir}/config.yaml"


include: "rules/common.smk"
include: "rules/planning.smk"
include: "rules/cluster.smk"
include: "rules/scheduling.smk"


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


include: "rules/wildcards.smk"


rule all:
    default_target: True
    input:
        # Stages share inputs, and to look up each costs as much as the first time.
        list(dict.fromkeys(path for stage in STAGES for path in getattr(rules, stage).input)),
    localrule: True
