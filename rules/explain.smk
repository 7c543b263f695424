rule explain:
    input:
        expand(
            "<results>/explain/{method}/seed-{seed}/maps.npy",
            method=config["explain"]["methods"],
            seed=config["seeds"],
        ),
        # The job that writes one writes all, and to look each up among them takes minutes with thousands of scans.
        exported("logjacobian.nii.gz")[:1],
    localrule: True


rule explain_saliency:
    input:
        images="<pack>/images.npy",
        index="<pack>/index.tsv",
        weights=rules.train_classifier.output.weights,
        architecture=rules.train_classifier.output.architecture,
    output:
        maps="<results>/explain/{method}/seed-{seed}/maps.npy",
        logits="<results>/explain/{method}/seed-{seed}/logits.tsv",
    log:
        "<logs>/explain_{method}_seed-{seed}.log",
    wildcard_constraints:
        method="|".join(methods("saliency")),
        seed=RUN,
    cache: True
    conda:
        "../envs/explain.yaml"
    threads: config["threads"]
    resources:
        mem_mb=scaled(4000),
        runtime=minutes(240),
        gpu=GPUS,
    params:
        code=digest("explain_saliency"),
        fold=lambda wildcards: fold_of(wildcards.seed),
        method_code=lambda wildcards: digest(f"counterwarp/explain/{wildcards.method}"),
        options=lambda wildcards: config["explain"].get(wildcards.method, {}),
        device=config["device"],
        threads=config["threads"],
    script:
        "../workflow_scripts/explain_saliency.py"


rule explain_simulator:
    input:
        images="<pack>/images.npy",
        index="<pack>/index.tsv",
        mask="<pack>/mask.npy",
        classifier_weights=rules.train_classifier.output.weights,
        classifier_architecture=rules.train_classifier.output.architecture,
        weights=rules.train_simulator.output.weights,
        architecture=rules.train_simulator.output.architecture,
    output:
        maps="<results>/explain/{method}/seed-{seed}/maps.npy",
        displacement="<results>/explain/{method}/seed-{seed}/displacement.npy",
        simulated="<results>/explain/{method}/seed-{seed}/simulated.npy",
        cycled="<results>/explain/{method}/seed-{seed}/cycled.npy",
        change="<results>/explain/{method}/seed-{seed}/change.npy",
        logits="<results>/explain/{method}/seed-{seed}/logits.tsv",
        quality="<results>/explain/{method}/seed-{seed}/quality.tsv",
    log:
        "<logs>/explain_{method}_seed-{seed}.log",
    wildcard_constraints:
        method="|".join(methods("simulator")),
        seed=RUN,
    cache: True
    priority: FIRST
    conda:
        "../envs/explain.yaml"
    threads: config["threads"]
    resources:
        mem_mb=scaled(4000),
        runtime=minutes(240),
        gpu=GPUS,
    params:
        code=digest("explain_simulator"),
        fold=lambda wildcards: fold_of(wildcards.seed),
        method_code=lambda wildcards: digest(f"counterwarp/explain/{wildcards.method}"),
        roles="classifier, simulator",
        device=config["device"],
        threads=config["threads"],
    script:
        "../workflow_scripts/explain_simulator.py"


rule explain_generator:
    input:
        images="<pack>/images.npy",
        index="<pack>/index.tsv",
        mask="<pack>/mask.npy",
        classifier_weights=rules.train_classifier.output.weights,
        classifier_architecture=rules.train_classifier.output.architecture,
        weights=rules.train_generator.output.weights,
        architecture=rules.train_generator.output.architecture,
    output:
        maps="<results>/explain/{method}/seed-{seed}/maps.npy",
        displacement="<results>/explain/{method}/seed-{seed}/displacement.npy",
        simulated="<results>/explain/{method}/seed-{seed}/simulated.npy",
        change="<results>/explain/{method}/seed-{seed}/change.npy",
        logits="<results>/explain/{method}/seed-{seed}/logits.tsv",
        quality="<results>/explain/{method}/seed-{seed}/quality.tsv",
    log:
        "<logs>/explain_{method}_seed-{seed}.log",
    wildcard_constraints:
        method="|".join(methods("generator")),
        seed=RUN,
    cache: True
    conda:
        "../envs/explain.yaml"
    threads: config["threads"]
    resources:
        mem_mb=scaled(4000),
        runtime=minutes(240),
        gpu=GPUS,
    params:
        code=digest("explain_simulator"),
        fold=lambda wildcards: fold_of(wildcards.seed),
        method_code=lambda wildcards: digest(f"counterwarp/explain/{wildcards.method}"),
        roles="classifier, generator",
        device=config["device"],
        threads=config["threads"],
    script:
        "../workflow_scripts/explain_simulator.py"


if FOLDS:

    include: "folds.smk"


rule export_maps:
    input:
        # Not the scans' images, of which the pack's tables tell: Snakemake notes all inputs and params for each output.
        labels="<results>/cohort/labels.tsv",
        index="<pack>/index.tsv",
        left_out="<pack>/left_out.tsv",
        affine="<pack>/affine.json",
        # An image or a displacement is of one network; maps are averaged, as everywhere.
        image=every_seed(f"<results>/explain/{DERIVED}/seed-{{seed}}/simulated.npy")[0],
        displacement=every_seed(f"<results>/explain/{DERIVED}/seed-{{seed}}/displacement.npy")[0],
        log_jacobian=every_seed(f"<results>/explain/{DERIVED}/seed-{{seed}}/maps.npy"),
    output:
        # First what a stage asks for: Snakemake tries one after the other.
        log_jacobian=exported("logjacobian.nii.gz"),
        log_jacobian_sidecar=exported("logjacobian.json"),
        image=exported("T1w.nii.gz"),
        image_sidecar=exported("T1w.json"),
        displacement=exported("displacement.nii.gz"),
        displacement_sidecar=exported("displacement.json"),
    log:
        "<logs>/export_maps.log",
    conda:
        "../envs/explain.yaml"
    params:
        code=digest("export_maps"),
        space=SPACE,
        method=DERIVED,
        roles="image, displacement, log_jacobian",
    script:
        "../workflow_scripts/export_maps.py"
