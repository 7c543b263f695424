include: "exclude.smk"


rule films:
    input:
        every_scan("<film>_equalised.png"),
    localrule: True


rule prepare_film:
    input:
        film=lambda wildcards: SCANS.path[wildcards.scan],
    output:
        image="<film>_equalised.png",
        sidecar="<film>_equalised.json",
    log:
        "<scanlog>_prepare_film.log",
    cache: True
    group:
        "scan"
    conda:
        "../envs/preprocess.yaml"
    resources:
        runtime=minutes(2),
    params:
        code=digest("prepare_film"),
        scan="{scan}",
        edge=config["preprocess"]["films"]["edge"],
    script:
        "../workflow_scripts/prepare_film.py"


rule pack_films:
    input:
        labels=enough_for("networks", "<results>/cohort/labels.tsv"),
        films=every_scan("<film>_equalised.png"),
    output:
        frames="<pack>/frames.npy",
        images="<pack>/images.npy",
        index="<pack>/index.tsv",
        mask="<pack>/mask.npy",
    log:
        "<logs>/pack_films.log",
    cache: True
    conda:
        "../envs/pack.yaml"
    params:
        code=digest("pack_films"),
        scans=every_scan("{scan}"),
        grid=config["preprocess"]["films"],
    script:
        "../workflow_scripts/pack_films.py"
