# Read after the rules: Snakemake looks for wildcards in a path before it puts pathvars in, and so sees those of a pathvar only
# in rules that are there already.
wildcard_constraints:
    scan="sub-[A-Za-z0-9]+(_ses-[A-Za-z0-9]+)?",
    folder="sub-[A-Za-z0-9]+(/ses-[A-Za-z0-9]+)?",
    method="[a-z_0-9]+",
    seed="[0-9]+(-fold[0-9]+)?(-shuffled)?",
