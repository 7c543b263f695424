include: "failures.smk"


rule excluded:
    input:
        left_out=[],
        images=[],
        numbers=JUDGED,
        beside=[],
        listed=config["qc"]["listed"] or [],
    output:
        table="<results>/cohort/excluded.tsv",
    log:
        "<logs>/excluded.log",
    cache: True
    localrule: True
    conda:
        "../envs/pack.yaml"
    params:
        code=digest("exclusions"),
        scans=every_scan("{scan}") if OF_SUBJECTS == "scans" else [],
        exclude=config["qc"]["exclude"],
    script:
        "../workflow_scripts/exclusions.py"


# Nothing waits for quality control that does not depend on it, and no training for steps that come after it.
EXCLUDED = rules.excluded.output.table if config["qc"]["exclude"] != "none" else []


use rule excluded as exclusions with:
    input:
        left_out="<results>/cohort/left_out.tsv",
        images=IMAGES[OF_SUBJECTS],
        numbers=JUDGED,
        beside=BESIDE[OF_SUBJECTS],
        listed=config["qc"]["listed"] or [],
    output:
        table="<results>/tables/exclusions.tsv",
    log:
        "<logs>/exclusions.log",
    cache: True
    localrule: True
