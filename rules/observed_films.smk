rule observed_change:
    input:
        earlier=earlier("<film>_equalised.png"),
        later="<film>_equalised.png",
    output:
        change="<film>_observed_change.npy",
        mask="<film>_observed_mask.npy",
        sidecar="<film>_observed_change.json",
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
        code=digest("observed_film_change"),
        roles="fixed: {scan}, moving: earlier",
        grid=config["preprocess"]["films"],
    script:
        "../workflow_scripts/observed_film_change.py"
