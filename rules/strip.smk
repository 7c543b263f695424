STRIP = config["preprocess"]["strip"]
STANDARD_HEAD = [rules.templates.output.head, rules.templates.output.head_mask]
HEAD = head_files(STRIP["head"], config["resources"], STANDARD_HEAD) if STRIP["engine"] in BY_HEAD else [[], []]
# The mask may be in a file already: the user's, or the scan's own zeros.
GIVEN = {
    "mask": "<truth>_desc-brain_mask.nii.gz" if PLANTED else lambda wildcards: SCANS["mask"][wildcards.scan],
    "none": rules.prepare_scan.output.conformed,
}
if STRIP["or_none"]:
    GIVEN[STRIP["engine"]] = GIVEN["none"]


rule strip:
    input:
        image=rules.prepare_scan.output.corrected,
        head=HEAD[0],
        head_mask=HEAD[1],
        given=GIVEN.get(STRIP["engine"], []),
    output:
        mask="<scan>_desc-brain_mask.nii.gz",
        sidecar="<scan>_desc-brain_mask.json",
    log:
        "<scanlog>_strip.log",
    cache: True
    group:
        "scan"
    conda:
        "../envs/preprocess.yaml"
    resources:
        runtime=minutes(6),
    params:
        code=digest("strip"),
        roles="stripped: image, template: head",
        engine=STRIP["engine"],
        bet_fraction=bet_fraction(STRIP),
        or_none=STRIP["or_none"],
        seed=config["preprocess"]["seed"],
    script:
        "../workflow_scripts/strip.py"
