report: "../report/workflow.rst"


# Page of a table -> its place in the report and its name there; the report sorts both by the alphabet.
PAGES = {
    "failures": ("1 Failures", "what failed, and how to try again"),
    "cohort": ("2 Cohort", "table: subjects and scans"),
    "qc": ("3 Quality control", "all scans: numbers and flags"),
    "classifier": ("4 Classifier", "table: scores"),
    "regions": ("7 Regions", "table: volumes by group"),
    "methods": ("8 Methods against truth", "all methods"),
    "region_changes": ("8 Methods against truth", "by region"),
    "cost": ("9 About", "cost of every rule"),
}


rule table_page:
    input:
        table="<results>/tables/{table}.tsv",
    output:
        page=report(
            "<results>/report/{table}.html",
            caption="../report/table.rst",
            category=lambda wildcards: PAGES[wildcards.table][0],
            labels=lambda wildcards: {"shown": PAGES[wildcards.table][1]},
        ),
    log:
        "<logs>/table_page_{table}.log",
    wildcard_constraints:
        table="|".join(PAGES),
    conda:
        "../envs/report.yaml"
    params:
        code=digest("table_page"),
    script:
        "../workflow_scripts/table_page.py"


rule cohort_figure:
    input:
        scans="<results>/cohort/scans.tsv",
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
    conda:
        "../envs/report.yaml"
    params:
        code=digest("cohort_figure"),
    script:
        "../workflow_scripts/cohort_figure.py"


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
    conda:
        "../envs/report.yaml"
    params:
        code=digest("classifier_figure"),
    script:
        "../workflow_scripts/classifier_figure.py"


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
    conda:
        "../envs/report.yaml"
    params:
        code=digest("subject_figures"),
    script:
        "../workflow_scripts/subject_figures.py"


# What a run makes before its cost can be added up.
BEFORE_COST = [
    *rules.explain.input,
    rules.cohort_figure.output.png,
    rules.qc_table.output.pictures,
    rules.classifier_figure.output.png,
    rules.logits_figure.output.png,
    rules.subject_figures.output.folder,
    *expand(rules.group_figure.output.png, method=config["explain"]["methods"]),
    rules.group_viewer.output.page,
    rules.regions_figure.output.png,
    *expand("<results>/report/{table}.html", table=[table for table in PAGES if table != "cost"]),
]


rule report:
    input:
        rules.cohort.input,
        rules.preprocess.input,
        BEFORE_COST,
        "<results>/report/cost.html",
        "<results>/report/about.html",


rule about_page:
    input:
        scans="<results>/cohort/scans.tsv",
        cost="<results>/report/cost.html",
    output:
        page=report(
            "<results>/report/about.html",
            caption="../report/about.rst",
            category="9 About",
            labels={"shown": "methods, references, versions"},
        ),
    log:
        "<logs>/about_page.log",
    conda:
        "../envs/report.yaml"
    params:
        code=digest("about_page"),
        config=config,
    script:
        "../workflow_scripts/about_page.py"
