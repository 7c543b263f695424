report: "../report/workflow.rst"


# Page of a table -> its place in the report and its name there; the report sorts both by the alphabet.
PAGES = {
    "failures": ("1 Failures", "what failed, and how to try again"),
    "exclusions": ("2 Cohort", "table: who is not used, and why"),
    "cohort": ("2 Cohort", "table: subjects and scans"),
    "qc": ("3 Quality control", "all scans: numbers and flags"),
    "classifier": ("4 Classifier", "table: scores"),
    "baselines": ("4 Classifier", "table: simple models on the same subjects"),
    "verdict": ("4 Classifier", "table: are the groups told apart"),
    "voxelwise": ("6 Group map", "table: voxelwise inference"),
    "regions": ("7 Regions", "table: volumes by group"),
    "residuals": ("7 Regions", "table: checks of the model"),
    "methods": ("8 Methods against truth", "all methods"),
    "sanity": ("8 Methods against truth", "sanity checks"),
    "longitudinal": ("8 Methods against truth", "change between two scans"),
    "longitudinal_order": ("8 Methods against truth", "change between two scans: pairs of methods"),
    "order": ("8 Methods against truth", "order of the methods in the paper"),
    "region_changes": ("8 Methods against truth", "by region"),
    "speed": ("8 Methods against truth", "time per scan"),
    "cost": ("9 About", "cost of every rule"),
    "jobs": ("9 About", "every job: where it ran, and its cost"),
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
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("table_page"),
    script:
        "../workflow_scripts/table_page.py"


# Last of all, since it reads the logs of the others; never cached, since their number is no input.
rule cost_table:
    input:
        done=lambda wildcards: BEFORE_COST,
    output:
        cost="<results>/tables/cost.tsv",
        jobs="<results>/tables/jobs.tsv",
        speed="<results>/tables/speed.tsv",
    log:
        "<logs>/cost_table.log",
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        code=digest("cost_table"),
    script:
        "../workflow_scripts/cost_table.py"


rule about_page:
    input:
        index=every_seed("<pack>/index.tsv")[:1],
        people="<results>/cohort/people.tsv" if OF_SUBJECTS == "films" else [],
        preprocessed=every_scan("<scan>_space-<space>_desc-preproc_T1w.json") if OF_SUBJECTS == "scans" else [],
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
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("about_page"),
        config=config,
    script:
        "../workflow_scripts/about_page.py"
