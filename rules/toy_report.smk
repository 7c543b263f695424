include: "classifier.smk"
include: "pages.smk"
include: "benchmark_table.smk"
include: "training.smk"


# A saliency map is no change of intensity.
CHANGING = [method for method in config["explain"]["methods"] if method not in methods("saliency")]


rule toy_figure:
    input:
        changes=[f"<results>/explain/{method}/seed-{config['seeds'][0]}/{compared(method)}.npy" for method in CHANGING],
        index=every_seed("<pack>/index.tsv")[0],
        images=every_seed("<pack>/images.npy")[0],
        truth=every_seed("<pack>/truth.npy")[0],
        displacement=f"<results>/explain/defigan/seed-{config['seeds'][0]}/displacement.npy",
        table=rules.benchmark_table.output.methods,
    output:
        png=report(
            "<results>/figures/toy.png",
            caption="../report/toy.rst",
            category="8 Methods against truth",
            labels={"shown": "figure: changes and NCC"},
        ),
        pdf="<results>/figures/toy.pdf",
    log:
        "<logs>/toy_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("toy_figure"),
        changing=CHANGING,
        methods=config["explain"]["methods"],
    script:
        "../workflow_scripts/toy_figure.py"


# What a run makes before its cost can be added up.
BEFORE_COST = [
    rules.toy_figure.output.png,
    rules.training_figure.output.png,
    rules.classifier_figure.output.png,
    *expand("<results>/report/{table}.html", table=["classifier", "verdict", "methods", "order"]),
]


rule toy_report:
    input:
        BEFORE_COST,
        "<results>/report/cost.html",
        "<results>/report/jobs.html",
        "<results>/report/speed.html",
        "<results>/report/about.html",
    localrule: True
