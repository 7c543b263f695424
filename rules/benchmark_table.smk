JOBS = [(method, seed) for seed in config["seeds"] for method in config["explain"]["methods"]]


rule benchmark_table:
    input:
        maps=[f"<results>/explain/{method}/seed-{seed}/{compared(method)}.npy" for method, seed in JOBS],
        logits=[f"<results>/explain/{method}/seed-{seed}/logits.tsv" for method, seed in JOBS],
        index=every_seed("<pack>/index.tsv"),
        truth=every_seed("<pack>/truth.npy"),
    output:
        methods="<results>/tables/methods.tsv",
        order="<results>/tables/order.tsv",
        patterns="<results>/benchmark/patterns.npz",
    log:
        "<logs>/benchmark_table.log",
    cache: True
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        code=digest("benchmark_table"),
        jobs=JOBS,
        seeds=config["seeds"],
        groups=["patient"] if config["cohort"]["source"] == "toy" else ["control", "patient"],
    script:
        "../workflow_scripts/benchmark_table.py"
