from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.basedir}/config.yaml"


include: "rules/common.smk"
include: "rules/cohort.smk"
include: "rules/preprocess.smk"
include: "rules/pack.smk"
include: "rules/train.smk"
include: "rules/explain.smk"
include: "rules/group.smk"
include: "rules/roi.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"


localrules:
    all,
    cohort,
    preprocess,
    train,
    explain,
    group,
    roi,
    evaluate,
    report,


rule all:
    default_target: True
    input:
        rules.cohort.input,
        rules.preprocess.input,
        rules.train.input,
        rules.explain.input,
        rules.group.input,
        rules.roi.input,
        rules.evaluate.input,
        rules.report.input,
