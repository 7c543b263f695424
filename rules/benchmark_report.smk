include: "classifier.smk"
include: "pages.smk"
include: "benchmark_table.smk"


SIMULATOR = next(method for method in config["explain"]["methods"] if method in methods("simulator"))


rule benchmark_figure:
    input:
        methods=rules.benchmark_table.output.methods,
        patterns=rules.benchmark_table.output.patterns,
        index=f"<results>/pack/seed-{config['seeds'][0]}/index.tsv",
        images=f"<results>/pack/seed-{config['seeds'][0]}/images.npy",
        simulated=f"<results>/explain/{SIMULATOR}/seed-{config['seeds'][0]}/simulated.npy",
        cycled=f"<results>/explain/{SIMULATOR}/seed-{config['seeds'][0]}/cycled.npy",
    output:
        png=report(
            "<results>/figures/benchmark.png",
            caption="../report/benchmark.rst",
            category="8 Methods against truth",
            labels={"shown": "figure: patterns and NCC"},
        ),
        pdf="<results>/figures/benchmark.pdf",
    log:
        "<logs>/benchmark_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("benchmark_figure"),
        method=SIMULATOR,
    script:
        "../workflow_scripts/benchmark_figure.py"


# What a run makes before its cost can be added up.
BEFORE_COST = [
    rules.benchmark_figure.output.png,
    rules.classifier_figure.output.png,
    *expand("<results>/report/{table}.html", table=["classifier", "verdict", "methods", "order"]),
]


rule benchmark_report:
    input:
        BEFORE_COST,
        "<results>/report/cost.html",
        "<results>/report/jobs.html",
        "<results>/report/speed.html",
        "<results>/report/about.html",
    localrule: True
