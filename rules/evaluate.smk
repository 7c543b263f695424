include: "classifier.smk"


EXPLAINED = expand("{method}/seed-{seed}", method=config["explain"]["methods"], seed=config["seeds"])
SIMULATED = expand(
    "{method}/seed-{seed}",
    method=[method for method in config["explain"]["methods"] if method not in methods("saliency")],
    seed=config["seeds"],
)


rule evaluate:
    input:
        "<results>/tables/classifier.tsv",
        "<results>/tables/methods.tsv",
        "<results>/tables/qc.tsv",
        "<results>/tables/failures.tsv",
    localrule: True


rule methods_table:
    input:
        maps=expand("<results>/explain/{job}/maps.npy", job=EXPLAINED),
        logits=expand("<results>/explain/{job}/logits.tsv", job=EXPLAINED),
        groups=expand("<results>/group/{job}/logjacobian.nii.gz", job=EXPLAINED),
        quality=expand("<results>/explain/{job}/quality.tsv", job=SIMULATED),
        truth=rules.pack_truth.output.truth if TRUTH_KNOWN else [],
        group_truth="<results>/group/truth/logjacobian.nii.gz" if TRUTH_KNOWN else [],
        index=rules.pack.output.index,
        mask=rules.pack.output.mask,
        template_mask="<template>/brain_mask.nii.gz",
        labels="<template>/parcellation.nii.gz",
        label_table="<template>/parcellation.tsv",
    output:
        methods="<results>/tables/methods.tsv",
        subjects="<results>/tables/subjects.tsv",
        changes="<results>/tables/region_changes.tsv",
        logits="<results>/tables/logits.tsv",
    log:
        "<logs>/methods_table.log",
    cache: True
    conda:
        "../envs/evaluate.yaml"
    params:
        code=digest("methods_table"),
        jobs=EXPLAINED,
        simulations=SIMULATED,
    script:
        "../workflow_scripts/methods_table.py"


rule qc_table:
    input:
        numbers=every_scan("<work>_qc.json"),
        pictures=every_scan("<scan>_qc.png"),
    output:
        table="<results>/tables/qc.tsv",
        pictures=report(
            directory("<results>/report/qc"),
            patterns=["{state}/{scan}.jpg"],
            category="3 Quality control",
            labels={"shown": "{state}: {scan}"},
        ),
    log:
        "<logs>/qc_table.log",
    cache: True
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        code=digest("qc_table"),
        scans=every_scan("{scan}"),
        most=config["report"]["qc_pictures"],
    script:
        "../workflow_scripts/qc_table.py"
