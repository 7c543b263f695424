# Its digest says what a fetched file is, so that no other code can make another one.
rule fetch:
    output:
        file="<fetched>/{resource}/{file}",
    log:
        "<logs>/fetch_{resource}_{file}.log",
    wildcard_constraints:
        resource="|".join(RESOURCES),
    localrule: True
    conda:
        "../envs/preprocess.yaml"
    params:
        sha256=lambda wildcards: RESOURCES[wildcards.resource].files[wildcards.file],
    script:
        "../workflow_scripts/fetch.py"


rule atlas:
    input:
        files=places(config["atlas"], own_folder()),
    output:
        brain="<template>/brain_T1w.nii.gz",
        brain_mask="<template>/brain_mask.nii.gz",
        CSF="<template>/label-CSF_probseg.nii.gz",
        GM="<template>/label-GM_probseg.nii.gz",
        WM="<template>/label-WM_probseg.nii.gz",
    log:
        "<logs>/atlas.log",
    cache: True
    localrule: True
    conda:
        "../envs/cohort.yaml"
    params:
        code=digest("atlas"),
        space=SPACE,
        resolution_mm=config["preprocess"]["resolution_mm"],
    script:
        "../workflow_scripts/atlas.py"


rule parcellation:
    input:
        template_mask=rules.atlas.output.brain_mask,
        files=rules.atlas.input.files,
    output:
        labels="<template>/parcellation.nii.gz",
        label_table="<template>/parcellation.tsv",
    log:
        "<logs>/parcellation.log",
    cache: True
    localrule: True
    conda:
        "../envs/cohort.yaml"
    params:
        code=digest("parcellation"),
        space=SPACE,
        regions=config["cohort"]["demo"]["regions"] if IS_DEMO else {},
        planted=config["cohort"]["plant"]["regions"],
    script:
        "../workflow_scripts/parcellation.py"
