# It is the methods that are checked: one classifier is enough.
CHECKED = RUNS[:1]
SHUFFLED = [] if config["classifier"]["own"] else CHECKED


rule sanity:
    input:
        "<results>/tables/sanity.tsv",
    localrule: True


SANE_SALIENCY = [method for method in config["sanity"]["methods"] if method in methods("saliency")]
SANE_SIMULATORS = [method for method in config["sanity"]["methods"] if method in methods("simulator")]


rule sanity_table:
    input:
        images=every_seed("<pack>/images.npy")[:1],
        index=every_seed("<pack>/index.tsv")[:1],
        mask=every_seed("<pack>/mask.npy")[:1],
        weights=expand("<results>/classifier/seed-{seed}/weights.safetensors", seed=CHECKED),
        architecture=expand("<results>/classifier/seed-{seed}/architecture.json", seed=CHECKED),
        maps=expand("<results>/explain/{method}/seed-{seed}/maps.npy", method=SANE_SIMULATORS, seed=SHUFFLED),
        shuffled_maps=expand(
            "<results>/explain/{method}/seed-{seed}-shuffled/maps.npy", method=SANE_SIMULATORS, seed=SHUFFLED
        ),
        shuffled=expand("<results>/classifier/seed-{seed}-shuffled/weights.safetensors", seed=SHUFFLED),
        shuffled_architecture=expand("<results>/classifier/seed-{seed}-shuffled/architecture.json", seed=SHUFFLED),
    output:
        table="<results>/tables/sanity.tsv",
    log:
        "<logs>/sanity_table.log",
    cache: True
    conda:
        "../envs/explain.yaml"
    threads: config["threads"]
    resources:
        mem_mb=scaled(4000),
        runtime=minutes(240),
        gpu=GPUS,
    params:
        code=digest("sanity_table", *[f"counterwarp.explain.{method}" for method in SANE_SALIENCY]),
        roles="weights and maps, shuffled",
        methods=SANE_SALIENCY,
        simulations=[(method, seed_of(run)) for method in SANE_SIMULATORS for run in SHUFFLED],
        seeds=[seed_of(run) for run in CHECKED],
        shuffled=[seed_of(run) for run in SHUFFLED],
        fold=fold_of(CHECKED[0]),
        device=config["device"],
        threads=config["threads"],
    script:
        "../workflow_scripts/sanity_table.py"


rule sanity_figure:
    input:
        table=rules.sanity_table.output.table,
    output:
        png=report(
            "<results>/figures/sanity.png",
            caption="../report/sanity.rst",
            category="8 Methods against truth",
            labels={"shown": "figure: sanity checks"},
        ),
        pdf="<results>/figures/sanity.pdf",
    log:
        "<logs>/sanity_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("sanity_figure"),
    script:
        "../workflow_scripts/sanity_figure.py"
