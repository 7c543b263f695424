rule cohort:
    input:
        cohort_files,
    localrule: True


rule templates:
    output:
        phantom="<template>/phantom.npz",
        head="<template>/head_T1w.nii.gz",
        head_mask="<template>/head_mask.nii.gz",
    log:
        "<logs>/templates.log",
    cache: True
    localrule: True
    conda:
        "../envs/cohort.yaml"
    params:
        code=digest("templates"),
        regions=config["cohort"]["demo"]["regions"] if IS_DEMO else {},
    script:
        "../workflow_scripts/templates.py"


rule bids_tables:
    input:
        scans="<results>/cohort/scans.tsv",
    output:
        readme="<results>/cohort/bids/README",
        description="<results>/cohort/bids/dataset_description.json",
        truth_description="<results>/cohort/bids/derivatives/truth/dataset_description.json",
        participants="<results>/cohort/bids/participants.tsv",
        participants_columns="<results>/cohort/bids/participants.json",
        sessions=every_subject("<results>/cohort/bids/sub-{subject}/sub-{subject}_sessions.tsv"),
        sessions_columns=every_subject("<results>/cohort/bids/sub-{subject}/sub-{subject}_sessions.json"),
    log:
        "<logs>/bids_tables.log",
    localrule: True
    conda:
        "../envs/cohort.yaml"
    params:
        code=digest("bids_tables"),
    script:
        "../workflow_scripts/bids_tables.py"


rule simulate_scan:
    input:
        phantom=rules.templates.output.phantom,
    output:
        image="<bids>_T1w.nii.gz",
        log_jacobian="<truth>_desc-disease_logjacobian.nii.gz",
        mask="<truth>_desc-brain_mask.nii.gz",
        truth="<truth>_truth.json",
    log:
        "<scanlog>_simulate_scan.log",
    cache: True
    group:
        "scan"
    conda:
        "../envs/cohort.yaml"
    resources:
        runtime=minutes(2),
    params:
        code=digest("simulate_scan"),
        settings=scan_settings,
    script:
        "../workflow_scripts/simulate_scan.py"
