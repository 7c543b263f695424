rule train:
    input:
        expand("<results>/classifier/seed-{seed}/weights.safetensors", seed=RUNS),
        expand(
            "<results>/simulator/{method}/seed-{seed}/weights.safetensors",
            method=[method for method in config["explain"]["methods"] if method in methods("simulator")],
            seed=RUNS,
        ),
        expand(
            "<results>/generator/{method}/seed-{seed}/weights.safetensors",
            method=[method for method in config["explain"]["methods"] if method in methods("generator")],
            seed=RUNS,
        ),
    localrule: True


rule train_classifier:
    input:
        images="<pack>/images.npy",
        index="<pack>/index.tsv",
        own=own_classifier_files(),
    output:
        weights="<results>/classifier/seed-{seed}/weights.safetensors",
        architecture="<results>/classifier/seed-{seed}/architecture.json",
        history="<results>/classifier/seed-{seed}/history.tsv",
        logits="<results>/classifier/seed-{seed}/logits.tsv",
    log:
        "<logs>/train_classifier_seed-{seed}.log",
    wildcard_constraints:
        seed=RUN,
    cache: True
    priority: FIRST
    conda:
        "../envs/train.yaml"
    threads: config["threads"]
    resources:
        mem_mb=scaled(4000),
        runtime=minutes(1440),
        gpu=GPUS,
    params:
        code=digest("train_classifier"),
        settings={key: value for key, value in config["classifier"].items() if key != "own"},
        precision=config["precision"],
        own=(config["classifier"]["own"] or {}).get("class"),
        shuffled=lambda wildcards: wildcards.seed.endswith("-shuffled"),
        seed=lambda wildcards: seed_of(wildcards.seed),
        fold=lambda wildcards: fold_of(wildcards.seed),
        device=config["device"],
        threads=config["threads"],
    script:
        "../workflow_scripts/train_classifier.py"


rule train_simulator:
    input:
        images="<pack>/images.npy",
        index="<pack>/index.tsv",
        weights=rules.train_classifier.output.weights,
        architecture=rules.train_classifier.output.architecture,
    output:
        weights="<results>/simulator/{method}/seed-{seed}/weights.safetensors",
        architecture="<results>/simulator/{method}/seed-{seed}/architecture.json",
        history="<results>/simulator/{method}/seed-{seed}/history.tsv",
    log:
        "<logs>/train_simulator_{method}_seed-{seed}.log",
    wildcard_constraints:
        seed=RUN,
    cache: True
    priority: FIRST
    conda:
        "../envs/train.yaml"
    threads: config["threads"]
    resources:
        mem_mb=scaled(4000),
        runtime=minutes(1440),
        gpu=GPUS,
    params:
        code=digest("train_simulator"),
        method="{method}",
        settings=config["simulator"],
        precision=config["precision"],
        shuffled=lambda wildcards: wildcards.seed.endswith("-shuffled"),
        seed=lambda wildcards: seed_of(wildcards.seed),
        fold=lambda wildcards: fold_of(wildcards.seed),
        device=config["device"],
        threads=config["threads"],
    script:
        "../workflow_scripts/train_simulator.py"


rule train_generator:
    input:
        images="<pack>/images.npy",
        index="<pack>/index.tsv",
        frames=frames(),
        truth=true_changes(),
        pairs=observed_changes(),
        critic_weights=config["adversarial"]["critic_weights"] or [],
    output:
        weights="<results>/generator/{method}/seed-{seed}/weights.safetensors",
        architecture="<results>/generator/{method}/seed-{seed}/architecture.json",
        history="<results>/generator/{method}/seed-{seed}/history.tsv",
    log:
        "<logs>/train_generator_{method}_seed-{seed}.log",
    wildcard_constraints:
        seed=RUN,
    cache: True
    priority: FIRST
    conda:
        "../envs/train.yaml"
    threads: config["threads"]
    resources:
        mem_mb=scaled(4000),
        runtime=minutes(1440),
        gpu=GPUS,
    params:
        code=digest("train_generator"),
        method="{method}",
        roles="frames, truth, pairs, critic_weights",
        settings={key: value for key, value in config["adversarial"].items() if key != "critic_weights"},
        precision=config["precision"],
        seed=lambda wildcards: seed_of(wildcards.seed),
        fold=lambda wildcards: fold_of(wildcards.seed),
        device=config["device"],
        threads=config["threads"],
    script:
        "../workflow_scripts/train_generator.py"
