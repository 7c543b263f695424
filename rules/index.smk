# The tables of scans and of their pairs, made and checked before any work.
def own_folder():
    """The user's own copy of the atlas; empty where there is none."""
    return config["resources"].get(config["atlas"], "")


# Why networks cannot be made of these scans, and why the groups cannot be compared. Whoever asks for what needs one of them
# is told; all other steps run.
LACKING = {"networks": [], "groups": []}


def enough_for(purpose, path):
    """The path of a table of scans, for a rule that the scans must be enough for."""

    def enough(wildcards):
        # Of an error of another kind Snakemake takes no notice where results of an earlier, larger cohort are there.
        if LACKING[purpose]:
            sys.exit(f"Nothing was started. Correct this first:\n{listed(LACKING[purpose])}")
        return workflow.pathvars.apply(path)

    return enough


def split_or_not(make):
    """A table of scans. One whose subjects are too few for a split has an empty one, and LACKING says so."""
    try:
        return make()
    except SplitError as error:
        LACKING["networks"], LACKING["groups"] = error.problems, lacking_groups(error.scans)
        return error.scans


def index_scans(results, left_out):
    """The table of scans of heads, once all that their preprocessing and regional model need is there."""
    check_together(
        lambda: check_resource(config["atlas"], own_folder()),
        lambda: check_head(config["preprocess"]["strip"], config["resources"]),
        lambda: check_engines(config["preprocess"]),
        # The names of an atlas that is fetched are not known yet.
        lambda: check_plant(config["cohort"], desikan_names() if SPACE == "MNI152" else []),
    )
    in_table = [name for name in columns_of(config["roi"]["formula"]) if name != HEAD_SIZE]
    scans = split_or_not(
        lambda: index(config["cohort"], str(results / "bids"), in_table, lambda *why: left_out.append(why))
    )
    if config["preprocess"]["strip"]["engine"] == "mask":
        scans = with_masks(scans, config["preprocess"]["strip"]["masks"], config["cohort"])
    listed = read_listed(config["qc"]["listed"], scans["scan"]) if config["qc"]["listed"] else {}
    modelled = (scans["baseline"] | (config["roi"]["model"] == "mixed")) & ~scans["scan"].isin(list(listed))
    LACKING["networks"] = LACKING["networks"] or problems_of(
        lambda: check_averaged(scans, config["group"]["split"], in_table)
    )
    problems = problems_of(lambda: check_covariates(scans, in_table, categories_of(config["roi"]["formula"]), modelled))
    if problems:
        raise ConfigError([*problems, *LACKING["networks"]])
    return scans


def index_cohort():
    """The table of scans: made by the main process, read by its jobs."""
    results = Path(workflow.pathvars.apply("<results>/cohort"))
    if not workflow.is_main_process:
        follow_recipe(config["preprocess"])
        settle(config)
        return NO_SCANS if IS_BENCHMARK else read(results / "scans.tsv")
    try:
        check_config(config, Path(workflow.basedir) / "schemas/config.schema.yaml")
        follow_recipe(config["preprocess"])
        settle(config)
        check_shared_cache()
        if IS_BENCHMARK:
            return NO_SCANS
        left_out = []
        if OF_SUBJECTS == "films":
            FilmGrid(**config["preprocess"]["films"])
            scans = split_or_not(lambda: index(config["cohort"], "", leave_out=lambda *why: left_out.append(why)))
        else:
            scans = index_scans(results, left_out)
    except ConfigError as error:
        raise WorkflowError(f"Nothing was started. Correct this first:\n{error}")
    write_if_changed(scans, results / "scans.tsv")
    write_left_out(left_out, results / "left_out.tsv")
    write_if_changed(scans.drop(columns=["path", "mask"], errors="ignore"), results / "people.tsv")
    write_if_changed(
        scans[["scan", "subject", "group", "split", "baseline", *map(split_column, folds_of(scans))]],
        results / "labels.tsv",
    )
    return scans


def index_pairs():
    """The pairs of scans that show a change; none for a benchmark, or a cohort that was scanned once."""
    wanted = config["longitudinal"]
    if IS_BENCHMARK or not wanted:
        return pd.DataFrame(columns=["subject", "split", "earlier", "later"])
    try:
        # Films without a pair have nothing to be judged by.
        return pair_scans(SCANS, **wanted, **({"order": "date", "needed": True} if OF_SUBJECTS == "films" else {}))
    except ConfigError as error:
        raise WorkflowError(f"Nothing was started. Correct this first:\n{error}")


SCANS = index_cohort().set_index("scan", drop=False)
PAIRS = index_pairs()
# The parts in which other subjects are test; none where there is one split.
FOLDS = folds_of(SCANS)
# Each network is trained once a seed and fold; `seed-1-fold2` is a run, and with its labels shuffled another.
RUNS = [f"{seed}-fold{fold}" for seed in config["seeds"] for fold in FOLDS] or [str(seed) for seed in config["seeds"]]
RUN = r"[0-9]+-fold[0-9]+(-shuffled)?" if FOLDS else r"[0-9]+(-shuffled)?"


def seed_of(run):
    return int(run.split("-")[0])


def fold_of(run):
    """The fold of a run; None where there is one split."""
    found = re.search(r"-fold(\d+)", run)
    return int(found[1]) if found else None


EARLIER = dict(zip(PAIRS.later, PAIRS.earlier))
# Scans whose maps are averaged.
AVERAGED = {"baseline": True} | ({} if config["group"]["split"] == "all" else {"split": config["group"]["split"]})
# Scans whose regions are measured.
MEASURED = {} if config["roi"]["model"] == "mixed" else {"baseline": True}
# The simulator whose images and maps are written for every scan.
DERIVED = config["explain"]["derivatives"]
