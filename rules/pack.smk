include: "exclude.smk"


rule pack:
    input:
        labels=enough_for("networks", "<results>/cohort/labels.tsv"),
        images=every_scan("<scan>_space-<space>_res-network_desc-normalised_T1w.nii.gz"),
        template_mask="<template>/brain_mask.nii.gz",
        excluded=EXCLUDED,
    output:
        images="<results>/pack/images.npy",
        index="<results>/pack/index.tsv",
        left_out="<results>/pack/left_out.tsv",
        mask="<results>/pack/mask.npy",
        affine="<results>/pack/affine.json",
    log:
        "<logs>/pack.log",
    cache: True
    priority: FIRST
    conda:
        "../envs/pack.yaml"
    params:
        code=digest("pack"),
        scans=every_scan("{scan}"),
        network_shape=config["preprocess"]["network_shape"],
        network_voxel_mm=config["preprocess"]["network_voxel_mm"],
        network_cut_mm=config["preprocess"]["network_cut_mm"],
    script:
        "../workflow_scripts/pack.py"


rule pack_truth:
    input:
        index=rules.pack.output.index,
        affine=rules.pack.output.affine,
        maps=every_scan("<truth>_desc-disease_logjacobian.nii.gz"),
        transforms=every_scan("<scan>_from-T1w_to-<space>_mode-image_xfm.json"),
    output:
        truth="<results>/pack/truth.npy",
    log:
        "<logs>/pack_truth.log",
    cache: True
    conda:
        "../envs/pack.yaml"
    params:
        code=digest("pack_truth"),
        scans=every_scan("{scan}"),
        network_shape=config["preprocess"]["network_shape"],
    script:
        "../workflow_scripts/pack_truth.py"
