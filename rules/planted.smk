# A known disease in people's own scans: cohort.plant. No head is simulated.
ruleorder: plant_scan > simulate_scan


rule planted_disease:
    input:
        labels="<template>/parcellation.nii.gz",
        label_table="<template>/parcellation.tsv",
        template_mask="<template>/brain_mask.nii.gz",
    output:
        disease="<results>/cohort/template/disease.npz",
    log:
        "<logs>/planted_disease.log",
    cache: True
    localrule: True
    conda:
        "../envs/cohort.yaml"
    params:
        code=digest("planted_disease"),
        regions=config["cohort"]["plant"]["regions"],
    script:
        "../workflow_scripts/planted_disease.py"


rule locate_scan:
    input:
        image=lambda wildcards: SCANS.path[wildcards.scan],
        head=HEAD[0],
        head_mask=HEAD[1],
        given=(lambda wildcards: SCANS["mask"][wildcards.scan]) if STRIP["engine"] == "mask" else [],
        template="<template>/brain_T1w.nii.gz",
    output:
        conformed=temp("<work>_desc-original_T1w.nii.gz"),
        mask=temp("<work>_desc-original_mask.nii.gz"),
        world=temp("<work>_desc-original_xfm.txt"),
        warp=temp("<work>_desc-original_warp.nii.gz"),
        inverse=temp("<work>_desc-original_inverse.nii.gz"),
    log:
        "<scanlog>_locate_scan.log",
    cache: True
    group:
        "scan"
    conda:
        "../envs/preprocess.yaml"
    resources:
        runtime=minutes(20),
    params:
        code=digest("locate_scan"),
        scan="{scan}",
        settings={
            **{
                name: config["preprocess"][name]
                for name in ("minimum_field_of_view_mm", "conform", "denoise", "strip", "register", "warp", "seed")
            },
            "bet_fraction": bet_fraction(STRIP),
            "space": SPACE,
        },
    script:
        "../workflow_scripts/locate_scan.py"


rule plant_scan:
    input:
        conformed=rules.locate_scan.output.conformed,
        mask=rules.locate_scan.output.mask,
        world=rules.locate_scan.output.world,
        warp=rules.locate_scan.output.warp,
        inverse=rules.locate_scan.output.inverse,
        disease=rules.planted_disease.output.disease,
        template_mask="<template>/brain_mask.nii.gz",
    output:
        image="<planted>_T1w.nii.gz",
        mask="<truth>_desc-brain_mask.nii.gz",
        log_jacobian="<truth>_desc-disease_logjacobian.nii.gz",
        truth="<truth>_truth.json",
    log:
        "<scanlog>_plant_scan.log",
    cache: True
    group:
        "scan"
    conda:
        "../envs/preprocess.yaml"
    resources:
        runtime=minutes(4),
    params:
        code=digest("plant_scan"),
        draw=lambda wildcards: {
            "seed": config["cohort"]["seed"],
            "subject": SCANS.subject[wildcards.scan],
            "severity": float(SCANS.severity[wildcards.scan]),
        },
    script:
        "../workflow_scripts/plant_scan.py"
