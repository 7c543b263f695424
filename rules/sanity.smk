SHUFFLED = [] if config["classifier"]["own"] else config["seeds"]


rule sanity:
    input:
        "<results>/tables/sanity.tsv",
    localrule: True


rule sanity_table:
    input:
        images=every_seed("<pack>/images.npy")[:1],
        index=every_seed("<pack>/index.tsv")[:1],
        mask=every_seed("<pack>/mask.npy")[:1],
        weights=expand("<results>/classifier/seed-{seed}/weights.safetensors", seed=config["seeds"]),
        architecture=expand("<results>/classifier/seed-{seed}/architecture.json", seed=config["seeds"]),
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
        mem_mb=2000,
    params:
        code=digest("sanity_table", *[f"counterwarp.explain.{method}" for method in config["sanity"]["methods"]]),
        roles="weights, shuffled",
        methods=config["sanity"]["methods"],
        seeds=config["seeds"],
        shuffled=SHUFFLED,
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
    conda:
        "../envs/report.yaml"
    params:
        code=digest("sanity_figure"),
    script:
        "../workflow_scripts/sanity_figure.py"
