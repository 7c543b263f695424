rule roi:
    input:
        "<results>/tables/regions.tsv",
    localrule: True


BY_PRIORS = config["roi"]["tissues"] == "priors"


rule segment:
    input:
        image=rules.register.output.image,
        mask=rules.register.output.mask,
        inverse=rules.syn.output.inverse if BY_PRIORS else [],
        prior_CSF=rules.atlas.output.CSF if BY_PRIORS else [],
        prior_GM=rules.atlas.output.GM if BY_PRIORS else [],
        prior_WM=rules.atlas.output.WM if BY_PRIORS else [],
    output:
        CSF="<scan>_space-<space>_label-CSF_probseg.nii.gz",
        GM="<scan>_space-<space>_label-GM_probseg.nii.gz",
        WM="<scan>_space-<space>_label-WM_probseg.nii.gz",
        sidecar="<scan>_space-<space>_probseg.json",
    log:
        "<scanlog>_segment.log",
    cache: True
    group:
        "scan"
    conda:
        "../envs/roi.yaml"
    resources:
        runtime=minutes(4),
    params:
        code=digest("segment"),
        space=SPACE,
        roles="segmented: image, inside: mask, guided by: the priors",
        prior_weight=config["roi"]["prior_weight"],
    script:
        "../workflow_scripts/segment.py"


rule measure_regions:
    input:
        inverse=rules.syn.output.inverse,
        CSF=rules.segment.output.CSF,
        GM=rules.segment.output.GM,
        WM=rules.segment.output.WM,
        transform_sidecar=rules.register.output.transform_sidecar,
        template_mask="<template>/brain_mask.nii.gz",
        labels="<template>/parcellation.nii.gz",
        label_table="<template>/parcellation.tsv",
    output:
        volumes="<work>_regions.tsv",
    log:
        "<scanlog>_measure_regions.log",
    cache: True
    group:
        "scan"
    conda:
        "../envs/roi.yaml"
    resources:
        runtime=minutes(2),
    params:
        code=digest("measure_regions"),
        roles="measured: the template's regions, brought by: inverse, in: the tissues",
    script:
        "../workflow_scripts/measure_regions.py"


rule region_volumes:
    input:
        volumes=every_scan("<work>_regions.tsv", **MEASURED),
        excluded=EXCLUDED,
    output:
        volumes="<results>/roi/volumes.tsv",
    log:
        "<logs>/region_volumes.log",
    cache: True
    localrule: True
    conda:
        "../envs/roi.yaml"
    params:
        code=digest("region_volumes"),
        scans=every_scan("{scan}", **MEASURED),
        subjects=[SCANS.subject[scan] for scan in every_scan("{scan}", **MEASURED)],
    script:
        "../workflow_scripts/region_volumes.py"


rule roi_glm:
    input:
        volumes=rules.region_volumes.output.volumes,
        scans=enough_for("groups", "<results>/cohort/people.tsv"),
        label_table="<template>/parcellation.tsv",
    output:
        regions="<results>/tables/regions.tsv",
        adjusted="<results>/roi/adjusted.tsv",
        residuals="<results>/tables/residuals.tsv",
    log:
        "<logs>/roi_glm.log",
    cache: True
    localrule: True
    conda:
        "../envs/roi.yaml"
    params:
        code=digest("roi_glm"),
        formula=config["roi"]["formula"],
        volumes=config["roi"]["volumes"],
        model=config["roi"]["model"],
    script:
        "../workflow_scripts/roi_glm.py"


rule regions_figure:
    input:
        regions=rules.roi_glm.output.regions,
        adjusted=rules.roi_glm.output.adjusted,
        label_table="<template>/parcellation.tsv",
    output:
        png=report(
            "<results>/figures/regions.png",
            caption="../report/regions.rst",
            category="7 Regions",
            labels={"shown": "figure: volumes by group"},
        ),
        pdf="<results>/figures/regions.pdf",
    log:
        "<logs>/regions_figure.log",
    cache: True
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        code=digest("regions_figure"),
        space=SPACE,
        formula=config["roi"]["formula"],
        volumes=config["roi"]["volumes"],
    script:
        "../workflow_scripts/regions_figure.py"
