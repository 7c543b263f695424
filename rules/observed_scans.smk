rule observed_change:
    input:
        earlier=earlier("<scan>_space-<space>_desc-preproc_T1w.nii.gz"),
        earlier_mask=earlier("<scan>_space-<space>_desc-brain_mask.nii.gz"),
        earlier_transform=earlier("<scan>_from-T1w_to-<space>_mode-image_xfm.json"),
        later="<scan>_space-<space>_desc-preproc_T1w.nii.gz",
        later_mask="<scan>_space-<space>_desc-brain_mask.nii.gz",
        later_transform="<scan>_from-T1w_to-<space>_mode-image_xfm.json",
        template_mask="<template>/brain_mask.nii.gz",
    output:
        change="<scan>_space-<space>_res-network_desc-observed_change.nii.gz",
        mask="<scan>_space-<space>_res-network_desc-observed_mask.nii.gz",
        sidecar="<scan>_space-<space>_res-network_desc-observed_change.json",
    log:
        "<scanlog>_observed_change.log",
    cache: True
    group:
        "pair"
    conda:
        "../envs/preprocess.yaml"
    resources:
        runtime=minutes(4),
    params:
        code=digest("observed_change"),
        roles="fixed: {scan}, moving: earlier",
        network_shape=config["preprocess"]["network_shape"],
        network_voxel_mm=config["preprocess"]["network_voxel_mm"],
        network_cut_mm=config["preprocess"]["network_cut_mm"],
        intensity=config["preprocess"]["intensity"],
        seed=config["preprocess"]["seed"],
        space=SPACE,
    script:
        "../workflow_scripts/observed_change.py"


# The demo's heads without noise, bias field and registration.
rule simulate_change:
    input:
        phantom=rules.templates.output.phantom,
    output:
        change="<truth>_desc-change_T1w.nii.gz",
    log:
        "<scanlog>_simulate_change.log",
    cache: True
    group:
        "pair"
    conda:
        "../envs/cohort.yaml"
    resources:
        runtime=minutes(2),
    params:
        code=digest("simulate_change"),
        earlier=earlier_settings,
        later=scan_settings,
    script:
        "../workflow_scripts/simulate_change.py"


rule pack_true_changes:
    input:
        pairs="<results>/longitudinal/pairs.npz",
        affine="<pack>/affine.json",
        changes=every_later(rules.simulate_change.output.change),
        transforms=every_later("<scan>_from-T1w_to-<space>_mode-image_xfm.json"),
    output:
        changes="<results>/longitudinal/true_changes.npy",
    log:
        "<logs>/pack_true_changes.log",
    cache: True
    localrule: True
    conda:
        "../envs/pack.yaml"
    params:
        code=digest("pack_true_changes"),
        scans=PAIRS["later"].to_list(),
        network_shape=config["preprocess"]["network_shape"],
    script:
        "../workflow_scripts/pack_true_changes.py"
