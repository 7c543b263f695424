rule benchmark:
    input:
        every_seed("<pack>/images.npy"),
    localrule: True


rule draw_benchmark:
    output:
        images="<pack>/images.npy",
        index="<pack>/index.tsv",
        mask="<pack>/mask.npy",
        truth="<pack>/truth.npy",
    log:
        "<logs>/draw_benchmark_seed-{seed}.log",
    cache: True
    conda:
        "../envs/pack.yaml"
    params:
        code=digest("draw_benchmark"),
        source=config["cohort"]["source"],
        settings=benchmark_settings(),
        seed=lambda wildcards: int(wildcards.seed),
    script:
        "../workflow_scripts/draw_benchmark.py"
