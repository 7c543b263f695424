include: "pages.smk"
include: "removal.smk"


rule cohort_figure:
    input:
        scans="<results>/cohort/people.tsv",
    output:
        png=report(
            "<results>/figures/cohort.png",
            caption="../report/cohort.rst",
            category="2 Cohort",
            labels={"shown": "figure: age, sex, split"},
        ),
        pdf="<results>/figures/cohort.pdf",
        table="<results>/tables/cohort.tsv",
    log:
        "<logs>/cohort_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("cohort_figure"),
    script:
        "../workflow_scripts/cohort_figure.py"


rule logits_figure:
    input:
        logits=rules.methods_table.output.logits,
        labels="<results>/cohort/labels.tsv",
    output:
        png=report(
            "<results>/figures/logits.png",
            caption="../report/logits.rst",
            category="5 Simulation",
            labels={"shown": "figure: logits"},
        ),
        pdf="<results>/figures/logits.pdf",
    log:
        "<logs>/logits_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("logits_figure"),
        seed=config["seeds"][0],
    script:
        "../workflow_scripts/logits_figure.py"


rule subject_figures:
    input:
        index=rules.pack.output.index,
        images=rules.pack.output.images,
        mask=rules.pack.output.mask,
        affine=rules.pack.output.affine,
        truth=rules.pack_truth.output.truth if TRUTH_KNOWN else [],
        simulated=f"<results>/explain/{DERIVED}/seed-{config['seeds'][0]}/simulated.npy",
        maps=f"<results>/explain/{DERIVED}/seed-{config['seeds'][0]}/maps.npy",
        logits=f"<results>/explain/{DERIVED}/seed-{config['seeds'][0]}/logits.tsv",
        verdict=verdict_on([DERIVED]),
    output:
        folder=report(
            directory("<results>/figures/subjects"),
            patterns=["{group}/{scan}.png"],
            caption="../report/subject.rst",
            category="5 Simulation",
            labels={"shown": "figure: {group} {scan}"},
        ),
    log:
        "<logs>/subject_figures.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("subject_figures"),
    script:
        "../workflow_scripts/subject_figures.py"


TABLES = [
    "failures",
    "exclusions",
    "cohort",
    "qc",
    "classifier",
    "baselines",
    "verdict",
    "regions",
    "residuals",
    "methods",
    "region_changes",
    "sanity",
    "voxelwise",
]


rule subject_methods_figure:
    input:
        index=rules.pack.output.index,
        images=rules.pack.output.images,
        mask=rules.pack.output.mask,
        affine=rules.pack.output.affine,
        truth=rules.pack_truth.output.truth if TRUTH_KNOWN else [],
        maps=expand(
            "<results>/explain/{method}/seed-{seed}/maps.npy",
            method=config["explain"]["methods"],
            seed=config["seeds"][0],
        ),
        logits=rules.classifier_table.output.logits,
        verdict=verdict_on(config["explain"]["methods"]),
    output:
        png=report(
            "<results>/figures/methods_subject.png",
            caption="../report/subject_methods.rst",
            category="5 Simulation",
            labels={"shown": "figure: all methods, one patient"},
        ),
        pdf="<results>/figures/methods_subject.pdf",
    log:
        "<logs>/subject_methods_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("subject_methods_figure"),
        seed=config["seeds"][0],
        methods=config["explain"]["methods"],
    script:
        "../workflow_scripts/subject_methods_figure.py"


# What a run makes before its cost can be added up.
BEFORE_COST = [
    *rules.explain.input,
    rules.cohort_figure.output.png,
    rules.qc_table.output.pictures,
    rules.classifier_figure.output.png,
    rules.logits_figure.output.png,
    rules.subject_figures.output.folder,
    *expand(
        rules.group_figure.output.png, method=[m for m in config["explain"]["methods"] if m in methods("simulator")]
    ),
    rules.group_methods_figure.output.png,
    rules.subject_methods_figure.output.png,
    rules.sanity_figure.output.png,
    rules.group_viewer.output.page,
    rules.voxelwise_figure.output.png,
    rules.regions_figure.output.png,
    *([rules.training_figure.output.png, rules.removal_figure.output.png] if GENERATORS else []),
    *([rules.longitudinal_figure.output.png] if len(PAIRS) else []),
    *expand("<results>/report/{table}.html", table=TABLES + TABLES_OF_PAIRS),
]


rule report:
    input:
        rules.cohort.input,
        rules.preprocess.input,
        BEFORE_COST,
        "<results>/report/cost.html",
        "<results>/report/jobs.html",
        "<results>/report/speed.html",
        "<results>/report/about.html",
    localrule: True
