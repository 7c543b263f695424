rule exclusions:
    input:
        left_out="<results>/cohort/left_out.tsv",
        # Quality control is of heads.
        numbers=every_scan("<work>_qc.json") if OF_SUBJECTS == "scans" else [],
        listed=config["qc"]["listed"] or [],
    output:
        table="<results>/tables/exclusions.tsv",
    log:
        "<logs>/exclusions.log",
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


# Nothing waits for quality control that does not depend on it.
EXCLUSIONS = rules.exclusions.output.table if config["qc"]["exclude"] != "none" else []
