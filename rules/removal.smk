include: "training.smk"


rule removal_figure:
    input:
        changes=expand(f"<results>/explain/{{method}}/seed-{config['seeds'][0]}/change.npy", method=GENERATORS),
        displacement=MOVED,
        index=rules.pack.output.index,
        images=rules.pack.output.images,
        mask=rules.pack.output.mask,
        affine=rules.pack.output.affine,
    output:
        png=report(
            "<results>/figures/removal.png",
            caption="../report/removal.rst",
            category="5 Simulation",
            labels={"shown": "figure: changes and displacement by the generators"},
        ),
        pdf="<results>/figures/removal.pdf",
    log:
        "<logs>/removal_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("removal_figure"),
        methods=GENERATORS,
    script:
        "../workflow_scripts/removal_figure.py"
