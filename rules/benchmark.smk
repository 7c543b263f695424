rule benchmark:
    input:
        every_seed("<pack>/images.npy"),
    localrule: True


rule draw_gaussians:
    output:
        images="<pack>/images.npy",
        index="<pack>/index.tsv",
        mask="<pack>/mask.npy",
        truth="<pack>/truth.npy",
    log:
        "<logs>/draw_gaussians_seed-{seed}.log",
    cache: True
    conda:
        "../envs/pack.yaml"
    params:
        code=digest("draw_gaussians"),
        settings=config["cohort"]["gaussians"],
        validation_share=config["cohort"]["validation_share"],
        test_share=config["cohort"]["test_share"],
        seed=lambda wildcards: int(wildcards.seed),
    script:
        "../workflow_scripts/draw_gaussians.py"
