WARP = "<scan>_from-affine_to-<space>_mode-image_xfm.nii.gz"


rule group:
    input:
        expand(
            "<results>/group/{method}/seed-{seed}/logjacobian.nii.gz",
            method=config["explain"]["methods"],
            seed=config["seeds"],
        ),
        "<results>/group/truth/logjacobian.nii.gz" if TRUTH_KNOWN else [],
        "<results>/tables/voxelwise.tsv",
    localrule: True


rule syn:
    input:
        image=rules.register.output.image,
        template="<template>/brain_T1w.nii.gz",
    output:
        warp=WARP,
        warp_sidecar="<scan>_from-affine_to-<space>_mode-image_xfm.json",
        inverse="<scan>_from-<space>_to-affine_mode-image_xfm.nii.gz",
        inverse_sidecar="<scan>_from-<space>_to-affine_mode-image_xfm.json",
    log:
        "<scanlog>_syn.log",
    cache: True
    group:
        "scan"
    conda:
        "../envs/group.yaml"
    resources:
        runtime=minutes(10),
    params:
        code=digest("syn"),
        roles="fixed: template, moving: image",
        space=SPACE,
        effort=config["preprocess"]["warp"],
        seed=config["preprocess"]["seed"],
    script:
        "../workflow_scripts/syn.py"


rule group_map:
    input:
        maps="<results>/explain/{method}/seed-{seed}/maps.npy",
        index=rules.pack.output.index,
        affine=rules.pack.output.affine,
        warps=lambda wildcards: every_scan(WARP, **averaged(wildcards.method)),
        template_mask="<template>/brain_mask.nii.gz",
    output:
        image="<results>/group/{method}/seed-{seed}/logjacobian.nii.gz",
    log:
        "<logs>/group_map_{method}_seed-{seed}.log",
    cache: True
    conda:
        "../envs/group.yaml"
    params:
        code=digest("group_map"),
        space=SPACE,
        scans=lambda wildcards: every_scan("{scan}", **averaged(wildcards.method)),
    script:
        "../workflow_scripts/group_map.py"


use rule group_map as group_truth with:
    input:
        maps=rules.pack_truth.output.truth,
        index=rules.pack.output.index,
        affine=rules.pack.output.affine,
        warps=every_scan(WARP, **AVERAGED),
        template_mask="<template>/brain_mask.nii.gz",
    output:
        image="<results>/group/truth/logjacobian.nii.gz",
    log:
        "<logs>/group_truth.log",
    cache: True
    params:
        code=digest("group_map"),
        space=SPACE,
        scans=every_scan("{scan}", **AVERAGED),


rule group_figure:
    input:
        maps=expand("<results>/group/{{method}}/seed-{seed}/logjacobian.nii.gz", seed=config["seeds"]),
        truth="<results>/group/truth/logjacobian.nii.gz" if TRUTH_KNOWN else [],
        template="<template>/brain_T1w.nii.gz",
        mask="<template>/brain_mask.nii.gz",
        verdict=lambda wildcards: verdict_on([wildcards.method]),
    output:
        png=report(
            "<results>/figures/group_{method}.png",
            caption="../report/group.rst",
            category="6 Group map",
            labels={"shown": "figure: {method}"},
        ),
        pdf="<results>/figures/group_{method}.pdf",
    log:
        "<logs>/group_figure_{method}.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("group_figure"),
        methods=lambda wildcards: [wildcards.method for _ in config["seeds"]],
    script:
        "../workflow_scripts/group_figure.py"


use rule group_figure as group_methods_figure with:
    input:
        maps=[
            f"<results>/group/{method}/seed-{seed}/logjacobian.nii.gz"
            for method in config["explain"]["methods"]
            for seed in config["seeds"]
        ],
        truth=rules.group_figure.input.truth,
        template="<template>/brain_T1w.nii.gz",
        mask="<template>/brain_mask.nii.gz",
        verdict=verdict_on(config["explain"]["methods"]),
    output:
        png=report(
            "<results>/figures/methods_group.png",
            caption="../report/group.rst",
            category="6 Group map",
            labels={"shown": "figure: all methods"},
        ),
        pdf="<results>/figures/methods_group.pdf",
    log:
        "<logs>/group_methods_figure.log",
    cache: True
    localrule: True
    params:
        code=digest("group_figure"),
        methods=[method for method in config["explain"]["methods"] for _ in config["seeds"]],


rule group_viewer:
    input:
        maps=expand(f"<results>/group/{DERIVED}/seed-{{seed}}/logjacobian.nii.gz", seed=config["seeds"]),
        template="<template>/brain_T1w.nii.gz",
        mask="<template>/brain_mask.nii.gz",
    output:
        page=report(
            "<results>/report/group_viewer.html",
            caption="../report/viewer.rst",
            category="6 Group map",
            labels={"shown": f"interactive viewer: {DERIVED}"},
        ),
    log:
        "<logs>/group_viewer.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("group_viewer"),
        title="Volume change, %",
    script:
        "../workflow_scripts/group_viewer.py"


include: "voxelwise.smk"
