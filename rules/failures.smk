# What networks see of each scan or film.
IMAGES = {
    "films": every_scan("<film>_equalised.png"),
    "scans": every_scan("<scan>_space-<space>_res-network_desc-normalised_T1w.nii.gz"),
}
# What is made of a scan or film beside what networks see.
BESIDE = {
    "films": every_later("<film>_observed_change.npy"),
    "scans": [
        *every_scan("<scan>_from-<space>_to-affine_mode-image_xfm.nii.gz", **MEASURED),
        *every_scan("<scan>_space-<space>_label-GM_probseg.nii.gz", **MEASURED),
        *every_scan("<work>_regions.tsv", **MEASURED),
    ],
}
# Quality control is of heads.
JUDGED = every_scan("<work>_qc.json") if OF_SUBJECTS == "scans" else []


# Never cached, since the command names the configuration files of this run.
rule failures_table:
    input:
        # Of the last steps of each scan or film: a failure of any earlier one is passed on to it.
        last=[*IMAGES[OF_SUBJECTS], *JUDGED, *BESIDE[OF_SUBJECTS]],
    output:
        failures="<results>/tables/failures.tsv",
    log:
        "<logs>/failures_table.log",
    localrule: True
    conda:
        "../envs/evaluate.yaml"
    params:
        code=digest("failures_table"),
        command=command(),
        experiment=config["experiment"],
    script:
        "../workflow_scripts/failures_table.py"
