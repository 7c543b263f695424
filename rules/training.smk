GENERATORS = [method for method in config["explain"]["methods"] if method in methods("generator")]
# Where the one that warps moves the intensities to.
MOVED = [f"<results>/explain/defigan/seed-{config['seeds'][0]}/displacement.npy"] if "defigan" in GENERATORS else []


rule training_figure:
    input:
        histories=[f"<results>/generator/{method}/seed-{seed}/history.tsv" for method in GENERATORS for seed in RUNS],
    output:
        png=report(
            "<results>/figures/training.png",
            caption="../report/training.rst",
            category="5 Simulation",
            labels={"shown": "figure: training of the generators"},
        ),
        pdf="<results>/figures/training.pdf",
    log:
        "<logs>/training_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("training_figure"),
        methods=[method for method in GENERATORS for _ in RUNS],
    script:
        "../workflow_scripts/training_figure.py"
