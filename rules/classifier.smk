rule classifier_table:
    input:
        logits=expand("<results>/classifier/seed-{seed}/logits.tsv", seed=config["seeds"]),
        index=every_seed("<pack>/index.tsv"),
    output:
        scores="<results>/tables/classifier.tsv",
        logits="<results>/tables/classifier_logits.tsv",
    log:
        "<logs>/classifier_table.log",
    cache: True
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        code=digest("classifier_table"),
        seeds=config["seeds"],
    script:
        "../workflow_scripts/classifier_table.py"


rule classifier_figure:
    input:
        logits=rules.classifier_table.output.logits,
        scores=rules.classifier_table.output.scores,
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
