include: "classifier.smk"
include: "pages.smk"
include: "training.smk"


CHANGING = [method for method in config["explain"]["methods"] if method not in methods("saliency")]
WARPING = [method for method in CHANGING if method not in OF_INTENSITY]


rule films_figure:
    input:
        changes=expand(f"<results>/explain/{{method}}/seed-{config['seeds'][0]}/change.npy", method=CHANGING),
        displacements=expand(f"<results>/explain/{{method}}/seed-{config['seeds'][0]}/displacement.npy", method=WARPING),
        index="<pack>/index.tsv",
        images="<pack>/images.npy",
    output:
        png=report(
            "<results>/figures/films.png",
            caption="../report/films.rst",
            category="5 Simulation",
            labels={"shown": "figure: changes and displacement"},
        ),
        pdf="<results>/figures/films.pdf",
    log:
        "<logs>/films_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("films_figure"),
        methods=CHANGING,
        warping=WARPING,
    script:
        "../workflow_scripts/films_figure.py"


# What a run makes before its cost can be added up.
BEFORE_COST = [
    *rules.explain.input,
    rules.classifier_figure.output.png,
    *([rules.training_figure.output.png] if GENERATORS else []),
    *([rules.films_figure.output.png] if CHANGING else []),
    *([rules.longitudinal_figure.output.png] if len(PAIRS) else []),
    *expand(
        "<results>/report/{table}.html",
        table=["failures", "exclusions", "classifier", "baselines", "verdict", *TABLES_OF_PAIRS],
    ),
]


rule films_report:
    input:
        BEFORE_COST,
        "<results>/report/cost.html",
        "<results>/report/jobs.html",
        "<results>/report/speed.html",
        "<results>/report/about.html",
    localrule: True
