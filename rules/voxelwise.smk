# Classical tensor-based morphometry beside each simulator, on the same subjects.
ANALYSES = [method for method in config["explain"]["methods"] if method in methods("simulator")] + ["tbm"]
# All maps are held together.
VOXELWISE_MB = 2000 + memory_mb(
    len(every_scan("{scan}", **AVERAGED)), config["preprocess"]["resolution_mm"], config["threads"]
)


rule voxelwise:
    input:
        maps=expand("<results>/explain/{{method}}/seed-{seed}/maps.npy", seed=config["seeds"]),
        index=rules.pack.output.index,
        affine=rules.pack.output.affine,
        scans="<results>/cohort/people.tsv",
        warps=every_scan(WARP, **AVERAGED),
        template_mask="<template>/brain_mask.nii.gz",
    output:
        effect="<results>/voxelwise/{method}/effect.nii.gz",
        t="<results>/voxelwise/{method}/t.nii.gz",
        logp="<results>/voxelwise/{method}/logp.nii.gz",
    log:
        "<logs>/voxelwise_{method}.log",
    wildcard_constraints:
        method="|".join(methods("simulator")),
    cache: True
    conda:
        "../envs/group.yaml"
    threads: config["threads"]
    resources:
        mem_mb=scaled(VOXELWISE_MB),
    params:
        code=digest("voxelwise"),
        space=SPACE,
        scans=every_scan("{scan}", **AVERAGED),
        formula=config["roi"]["formula"],
        tested="mean",
        permutations=config["group"]["permutations"],
        seed=config["seeds"][0],
        threads=config["threads"],
    script:
        "../workflow_scripts/voxelwise.py"


use rule voxelwise as voxelwise_tbm with:
    input:
        maps=[],
        index=rules.pack.output.index,
        affine=rules.pack.output.affine,
        scans="<results>/cohort/people.tsv",
        warps=every_scan(WARP, **AVERAGED),
        template_mask="<template>/brain_mask.nii.gz",
    output:
        effect="<results>/voxelwise/tbm/effect.nii.gz",
        t="<results>/voxelwise/tbm/t.nii.gz",
        logp="<results>/voxelwise/tbm/logp.nii.gz",
    log:
        "<logs>/voxelwise_tbm.log",
    cache: True
    params:
        code=digest("voxelwise"),
        space=SPACE,
        scans=every_scan("{scan}", **AVERAGED),
        formula=config["roi"]["formula"],
        tested="group",
        permutations=config["group"]["permutations"],
        seed=config["seeds"][0],
        threads=config["threads"],


rule voxelwise_table:
    input:
        effects=expand("<results>/voxelwise/{analysis}/effect.nii.gz", analysis=ANALYSES),
        t=expand("<results>/voxelwise/{analysis}/t.nii.gz", analysis=ANALYSES),
        logp=expand("<results>/voxelwise/{analysis}/logp.nii.gz", analysis=ANALYSES),
        truth="<results>/group/truth/logjacobian.nii.gz" if TRUTH_KNOWN else [],
        template_mask="<template>/brain_mask.nii.gz",
    output:
        table="<results>/tables/voxelwise.tsv",
    log:
        "<logs>/voxelwise_table.log",
    cache: True
    localrule: True
    conda:
        "../envs/group.yaml"
    params:
        code=digest("voxelwise_table"),
        analyses=ANALYSES,
    script:
        "../workflow_scripts/voxelwise_table.py"


rule voxelwise_figure:
    input:
        effects=rules.voxelwise_table.input.effects,
        logp=rules.voxelwise_table.input.logp,
        truth=rules.voxelwise_table.input.truth,
        table=rules.voxelwise_table.output.table,
        template="<template>/brain_T1w.nii.gz",
        mask="<template>/brain_mask.nii.gz",
    output:
        png=report(
            "<results>/figures/voxelwise.png",
            caption="../report/voxelwise.rst",
            category="6 Group map",
            labels={"shown": "figure: voxelwise inference"},
        ),
        pdf="<results>/figures/voxelwise.pdf",
    log:
        "<logs>/voxelwise_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("voxelwise_figure"),
        analyses=ANALYSES,
    script:
        "../workflow_scripts/voxelwise_figure.py"
