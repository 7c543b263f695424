rule classifier_table:
    input:
        logits=expand("<results>/classifier/seed-{seed}/logits.tsv", seed=RUNS),
        index=[workflow.pathvars.apply("<pack>/index.tsv").format(seed=seed_of(run)) for run in RUNS],
    output:
        scores="<results>/tables/classifier.tsv",
        logits="<results>/tables/classifier_logits.tsv",
        verdict="<results>/tables/verdict.tsv",
    log:
        "<logs>/classifier_table.log",
    cache: True
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        code=digest("classifier_table"),
        seeds=[seed_of(run) for run in RUNS],
        folds=[fold_of(run) for run in RUNS],
    script:
        "../workflow_scripts/classifier_table.py"


rule classifier_figure:
    input:
        logits=rules.classifier_table.output.logits,
        scores=rules.classifier_table.output.scores,
        verdict=rules.classifier_table.output.verdict,
        baselines="<results>/tables/baselines.tsv" if not IS_BENCHMARK else [],
    output:
        png=report(
            "<results>/figures/classifier.png",
            caption="../report/classifier.rst",
            category="4 Classifier",
            labels={"shown": "figure: ROC, confusion, scores"},
        ),
        pdf="<results>/figures/classifier.pdf",
    log:
        "<logs>/classifier_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("classifier_figure"),
    script:
        "../workflow_scripts/classifier_figure.py"


rule baselines_table:
    input:
        images="<pack>/images.npy",
        index="<pack>/index.tsv",
        people="<results>/cohort/people.tsv",
    output:
        table="<results>/tables/baselines.tsv",
    log:
        "<logs>/baselines_table.log",
    cache: True
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=scaled(4000),
        runtime=minutes(60),
    params:
        code=digest("baselines_table"),
        covariates=(
            [name for name in columns_of(config["roi"]["formula"]) if name != HEAD_SIZE]
            if OF_SUBJECTS == "scans"
            else []
        ),
    script:
        "../workflow_scripts/baselines_table.py"


# Said again at the end of a run, where it cannot be overlooked.
onsuccess:
    found = Path(workflow.pathvars.apply("<results>/tables/verdict.tsv"))
    if workflow.is_main_process and found.exists() and found.stat().st_size and read_warning(found):
        logger.warning(read_warning(found))
