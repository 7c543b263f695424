include: f"observed_{OF_SUBJECTS}.smk"


TABLES_OF_PAIRS = ["longitudinal", "longitudinal_order"] if len(PAIRS) else []


rule longitudinal:
    input:
        expand("<results>/tables/{table}.tsv", table=TABLES_OF_PAIRS),
    localrule: True


rule pack_changes:
    input:
        changes=every_later(rules.observed_change.output.change),
        masks=every_later(rules.observed_change.output.mask),
        index="<pack>/index.tsv",
    output:
        pairs="<results>/longitudinal/pairs.npz",
    log:
        "<logs>/pack_changes.log",
    cache: True
    localrule: True
    conda:
        "../envs/pack.yaml"
    params:
        code=digest("pack_changes"),
        pairs=PAIRS[["subject", "split", "earlier", "later"]].to_dict("list"),
    script:
        "../workflow_scripts/pack_changes.py"


rule longitudinal_table:
    input:
        pairs=rules.pack_changes.output.pairs,
        changes=[
            f"<results>/explain/{method}/seed-{seed}/{change_of(method)}.npy"
            for method in config["explain"]["methods"]
            for seed in config["seeds"]
        ],
        truth=rules.pack_true_changes.output.changes if IS_DEMO else [],
    output:
        pairs="<results>/tables/longitudinal_pairs.tsv",
        methods="<results>/tables/longitudinal.tsv",
        order="<results>/tables/longitudinal_order.tsv",
    log:
        "<logs>/longitudinal_table.log",
    cache: True
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        code=digest("longitudinal_table"),
        jobs=[(method, seed) for method in config["explain"]["methods"] for seed in config["seeds"]],
        seed=config["seeds"][0],
    script:
        "../workflow_scripts/longitudinal_table.py"


rule longitudinal_figure:
    input:
        pairs=rules.longitudinal_table.output.pairs,
        methods=rules.longitudinal_table.output.methods,
    output:
        png=report(
            "<results>/figures/longitudinal.png",
            caption="../report/longitudinal.rst",
            category="8 Methods against truth",
            labels={"shown": "figure: change between two scans"},
        ),
        pdf="<results>/figures/longitudinal.pdf",
    log:
        "<logs>/longitudinal_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("longitudinal_figure"),
    script:
        "../workflow_scripts/longitudinal_figure.py"
