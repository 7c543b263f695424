# Of each subject, what the networks say that never saw it: the folds of a seed come together as if they were one.
def every_fold(name):
    """Of one seed, the same file of each fold."""
    return expand(f"<results>/explain/{{{{method}}}}/seed-{{{{seed}}}}-fold{{fold}}/{name}", fold=FOLDS)


rule join_folds:
    input:
        index="<pack>/index.tsv",
        maps=every_fold("maps.npy"),
        logits=every_fold("logits.tsv"),
    output:
        maps="<results>/explain/{method}/seed-{seed}/maps.npy",
        logits="<results>/explain/{method}/seed-{seed}/logits.tsv",
    log:
        "<logs>/join_folds_{method}_seed-{seed}.log",
    wildcard_constraints:
        method="|".join(methods("saliency")),
        seed="[0-9]+",
    cache: True
    conda:
        "../envs/explain.yaml"
    params:
        code=digest("join_folds"),
    script:
        "../workflow_scripts/join_folds.py"


use rule join_folds as join_folds_of_simulator with:
    input:
        index="<pack>/index.tsv",
        maps=every_fold("maps.npy"),
        displacement=every_fold("displacement.npy"),
        simulated=every_fold("simulated.npy"),
        cycled=every_fold("cycled.npy"),
        change=every_fold("change.npy"),
        logits=every_fold("logits.tsv"),
        quality=every_fold("quality.tsv"),
    output:
        maps="<results>/explain/{method}/seed-{seed}/maps.npy",
        displacement="<results>/explain/{method}/seed-{seed}/displacement.npy",
        simulated="<results>/explain/{method}/seed-{seed}/simulated.npy",
        cycled="<results>/explain/{method}/seed-{seed}/cycled.npy",
        change="<results>/explain/{method}/seed-{seed}/change.npy",
        logits="<results>/explain/{method}/seed-{seed}/logits.tsv",
        quality="<results>/explain/{method}/seed-{seed}/quality.tsv",
    wildcard_constraints:
        method="|".join(methods("simulator")),
        seed="[0-9]+",
    cache: True


use rule join_folds as join_folds_of_generator with:
    input:
        index="<pack>/index.tsv",
        maps=every_fold("maps.npy"),
        displacement=every_fold("displacement.npy"),
        simulated=every_fold("simulated.npy"),
        change=every_fold("change.npy"),
        logits=every_fold("logits.tsv"),
        quality=every_fold("quality.tsv"),
    output:
        maps="<results>/explain/{method}/seed-{seed}/maps.npy",
        displacement="<results>/explain/{method}/seed-{seed}/displacement.npy",
        simulated="<results>/explain/{method}/seed-{seed}/simulated.npy",
        change="<results>/explain/{method}/seed-{seed}/change.npy",
        logits="<results>/explain/{method}/seed-{seed}/logits.tsv",
        quality="<results>/explain/{method}/seed-{seed}/quality.tsv",
    wildcard_constraints:
        method="|".join(methods("generator")),
        seed="[0-9]+",
    cache: True
