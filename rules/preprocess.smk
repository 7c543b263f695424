include: "resources.smk"


rule derivatives_description:
    output:
        description="<results>/derivatives/dataset_description.json",
    log:
        "<logs>/derivatives_description.log",
    localrule: True
    conda:
        "../envs/preprocess.yaml"
    params:
        code=digest("derivatives_description"),
    script:
        "../workflow_scripts/derivatives_description.py"


rule preprocess:
    input:
        every_scan("<scan>_space-<space>_res-network_desc-normalised_T1w.nii.gz"),
        every_scan("<scan>_qc.png"),
        rules.derivatives_description.output,
    localrule: True


# One job conforms a scan, denoises it and takes off its bias field: a study of thousands of scans has a job less a scan
# to plan, and conforming takes less time than the start of a job.
rule prepare_scan:
    input:
        image="<planted>_T1w.nii.gz" if PLANTED else lambda wildcards: SCANS.path[wildcards.scan],
    output:
        conformed=temp("<work>_desc-conform_T1w.nii.gz"),
        sidecar=temp("<work>_desc-conform_T1w.json"),
        corrected=temp("<work>_desc-n4_T1w.nii.gz"),
    log:
        "<scanlog>_prepare_scan.log",
    cache: True
    group:
        "scan"
    conda:
        "../envs/preprocess.yaml"
    resources:
        runtime=minutes(6),
    params:
        code=digest("prepare_scan"),
        engine=config["preprocess"]["conform"],
        # Two scans whose images are exchanged are other scans, and so is all that is made of both.
        scan="{scan}",
        minimum_fov=config["preprocess"]["minimum_field_of_view_mm"],
        denoise=config["preprocess"]["denoise"],
    script:
        "../workflow_scripts/prepare_scan.py"


include: "strip.smk"


if PLANTED:

    include: "planted.smk"


rule register:
    input:
        image=rules.prepare_scan.output.corrected,
        mask=rules.strip.output.mask,
        conform_sidecar=rules.prepare_scan.output.sidecar,
        mask_sidecar=rules.strip.output.sidecar,
        template="<template>/brain_T1w.nii.gz",
    output:
        transform="<scan>_from-T1w_to-<space>_mode-image_xfm.mat",
        world="<scan>_from-T1w_to-<space>_mode-image_desc-world_xfm.txt",
        flirt="<scan>_from-T1w_to-<space>_mode-image_desc-flirt_xfm.mat",
        transform_sidecar="<scan>_from-T1w_to-<space>_mode-image_xfm.json",
        image="<scan>_space-<space>_desc-preproc_T1w.nii.gz",
        image_sidecar="<scan>_space-<space>_desc-preproc_T1w.json",
        mask="<scan>_space-<space>_desc-brain_mask.nii.gz",
        mask_sidecar="<scan>_space-<space>_desc-brain_mask.json",
    log:
        "<scanlog>_register.log",
    cache: True
    group:
        "scan"
    conda:
        "../envs/preprocess.yaml"
    resources:
        runtime=minutes(4),
    params:
        code=digest("register"),
        roles="fixed: template, moving: image",
        engine=config["preprocess"]["register"]["engine"],
        dof=config["preprocess"]["register"]["dof"],
        space=SPACE,
        seed=config["preprocess"]["seed"],
    script:
        "../workflow_scripts/register.py"


rule normalise:
    input:
        image=rules.register.output.image,
        mask=rules.register.output.mask,
        template_mask="<template>/brain_mask.nii.gz",
    output:
        image="<scan>_space-<space>_res-network_desc-normalised_T1w.nii.gz",
        sidecar="<scan>_space-<space>_res-network_desc-normalised_T1w.json",
    log:
        "<scanlog>_normalise.log",
    cache: True
    priority: FIRST
    group:
        "scan"
    conda:
        "../envs/preprocess.yaml"
    resources:
        runtime=minutes(2),
    params:
        code=digest("normalise"),
        roles="scan: image and mask, grid: template_mask",
        space=SPACE,
        network_shape=config["preprocess"]["network_shape"],
        network_voxel_mm=config["preprocess"]["network_voxel_mm"],
        network_cut_mm=config["preprocess"]["network_cut_mm"],
        intensity=config["preprocess"]["intensity"],
    script:
        "../workflow_scripts/normalise.py"


rule qc:
    input:
        image=rules.prepare_scan.output.conformed,
        corrected=rules.prepare_scan.output.corrected,
        conform_sidecar=rules.prepare_scan.output.sidecar,
        mask=rules.strip.output.mask,
        transform_sidecar=rules.register.output.transform_sidecar,
        preprocessed=rules.register.output.image,
        template="<template>/brain_T1w.nii.gz",
        template_mask="<template>/brain_mask.nii.gz",
        true_mask="<truth>_desc-brain_mask.nii.gz" if IS_DEMO else [],
        # The true pose leads to MNI152.
        truth="<truth>_truth.json" if IS_DEMO and SPACE == "MNI152" else [],
    output:
        figure="<scan>_qc.png",
        numbers="<work>_qc.json",
    log:
        "<scanlog>_qc.log",
    cache: True
    group:
        "scan"
    conda:
        "../envs/preprocess.yaml"
    resources:
        runtime=minutes(2),
    params:
        code=digest("qc"),
        roles="judged: corrected, mask, transform and preprocessed, against: template and truth",
    script:
        "../workflow_scripts/qc.py"
