import re
import shlex
import sys

sys.path.insert(0, str(Path(workflow.basedir) / "workflow_scripts"))

import pandas as pd
from snakemake.exceptions import WorkflowError

from counterwarp.cohorts.exclusions import read_listed
from counterwarp.cohorts.folds import folds_of, split_column
from counterwarp.cohorts.masks import with_masks
from counterwarp.cohorts.pairs import pair_scans
from counterwarp.cohorts.planted import check_plant
from counterwarp.cohorts.sources import NO_SCANS, index
from counterwarp.cohorts.table import (
    check_averaged,
    check_covariates,
    lacking_groups,
    read,
    write_if_changed,
    write_left_out,
)
from counterwarp.config import check_config, check_together, problems_of
from counterwarp.errors import ConfigError, SplitError, listed
from counterwarp.explain import OF_INTENSITY, methods
from counterwarp.imaging.desikan import desikan_names
from counterwarp.imaging.engines import BY_HEAD, bet_fraction, check_engines, follow_recipe, settle
from counterwarp.imaging.films import FilmGrid
from counterwarp.resources import (
    RESOURCES,
    check_head,
    check_resource,
    check_shared_cache,
    head_files,
    kept_folder,
    places,
)
from counterwarp.stats.formula import HEAD_SIZE, categories_of, columns_of
from counterwarp.stats.verdict import read_warning
from counterwarp.stats.voxelwise import memory_mb
from counterwarp.workflow.digest import digest

IS_DEMO = config["cohort"]["source"] == "demo"
# A known disease is put into the scans of people.
PLANTED = bool(config["cohort"]["plant"]["regions"])
TRUTH_KNOWN = IS_DEMO or PLANTED
# A benchmark draws its images anew for every seed; a cohort is one and the same for all.
IS_BENCHMARK = config["cohort"]["source"] in ("gaussians", "toy")

# What the images of subjects are.
OF_SUBJECTS = "films" if config["cohort"]["source"] == "films" else "scans"

SPACE = str(config["atlas"]).upper()


pathvars:
    results=f"results/{config['experiment']}",
    logs="<results>/logs",
    pack="<results>/pack/seed-{seed}" if IS_BENCHMARK else "<results>/pack",
    template="<results>/cohort/template",
    bids="<results>/cohort/bids/{folder}/anat/{scan}",
    fetched=kept_folder(),
    space=SPACE,
    planted="<results>/cohort/planted/{folder}/anat/{scan}",
    truth=f"<results>/cohort/{'planted' if PLANTED else 'bids'}/derivatives/truth/{{folder}}/anat/{{scan}}",
    scan="<results>/derivatives/{folder}/anat/{scan}",
    film="<results>/films/{folder}/{scan}",
    work="<results>/intermediate/{folder}/{scan}",
    scanlog="<results>/logs/{folder}/{scan}",


include: "index.smk"


def every_scan(pattern, **wanted):
    """The paths of all scans, or of those whose columns have the values wanted."""
    scans = SCANS
    for column, value in wanted.items():
        scans = scans[scans[column] == value]
    return expand(workflow.pathvars.apply(pattern), zip, scan=scans.scan, folder=scans.folder)


def scan_settings(wildcards):
    return settings_of(wildcards.scan)


def earlier_settings(wildcards):
    return settings_of(EARLIER[wildcards.scan])


def settings_of(name):
    """What the simulation of one scan depends on, and nothing else: another subject's age is no reason to rerun."""
    scan, demo = SCANS.loc[name], config["cohort"]["demo"]
    return {
        "seed": config["cohort"]["seed"],
        "subject": scan.subject,
        "session": scan.session,
        "age": float(scan.age),
        "sex": scan.sex,
        "anatomy": int(scan.anatomy),
        "severity": float(scan.severity),
        "mean_severity": demo["severity"],
        **{name: demo[name] for name in ("age_effect", "voxel_mm", "anatomy_mm", "noise")},
    }


def every_seed(pattern):
    """One path a seed; where the path does not depend on it, the same one for each."""
    return [workflow.pathvars.apply(pattern).format(seed=seed) for seed in config["seeds"]]


def every_subject(pattern):
    return expand(pattern, subject=sorted(SCANS.subject.unique()))


def cohort_files(wildcards):
    if PLANTED:
        return every_scan("<planted>_T1w.nii.gz")
    if not IS_DEMO:
        return SCANS.path
    return [*every_scan("<truth>_truth.json"), *rules.bids_tables.output]


def exported(name):
    """A derivative of every scan, on the network's grid, by the simulator chosen for it."""
    return every_scan(f"<scan>_space-<space>_res-network_desc-{DERIVED}_{name}") if OF_SUBJECTS == "scans" else []


def verdict_on(methods_shown):
    """Whether the classifier tells the groups apart, for figures of methods that explain it."""
    explains = any(method not in methods("generator") for method in methods_shown)
    return "<results>/tables/verdict.tsv" if explains else []


def earlier(pattern):
    """The same file of the scan with which a later one is compared."""

    def path(wildcards):
        scan = SCANS.loc[EARLIER[wildcards.scan]]
        return workflow.pathvars.apply(pattern).format(scan=scan.scan, folder=scan.folder)

    return path


def every_later(pattern):
    """The paths of the later scans of all pairs."""
    return expand(workflow.pathvars.apply(pattern), zip, scan=PAIRS.later, folder=SCANS.folder[PAIRS.later])


def averaged(method):
    """Whose maps of a method are averaged: one that goes from patient to control only says nothing of controls."""
    return AVERAGED | ({"group": "patient"} if method in methods("generator") else {})


def benchmark_settings():
    """What the images of the configured benchmark are drawn by."""
    cohort = config["cohort"]
    shares = {} if cohort["source"] == "toy" else {name: cohort[name] for name in ("validation_share", "test_share")}
    return cohort.get(cohort["source"], {}) | shares


def change_of(method):
    """The change of intensity that a method finds; of one that makes no images, its map."""
    return "maps" if method in methods("saliency") else "change"


def compared(method):
    """What of a method is compared with a benchmark's truth: the toy's is a change of intensity."""
    return change_of(method) if config["cohort"]["source"] == "toy" else "maps"


def observed_changes():
    """What pairs of scans show of validation subjects, for generators to be chosen by."""
    shown = len(PAIRS) if FOLDS else (PAIRS["split"] == "validation").any()
    return "<results>/longitudinal/pairs.npz" if shown else []


def frames():
    """Images larger than the network's, for random crops in training; films have some."""
    return "<pack>/frames.npy" if OF_SUBJECTS == "films" else []


def true_changes():
    """The true changes of intensity, where a benchmark knows them, for generators to be chosen by."""
    return "<pack>/truth.npy" if config["cohort"]["source"] == "toy" else []


def command():
    """Snakemake, called for this study; a file in this folder is named by its place there, for the folder may move."""
    here, files = Path.cwd(), map(Path.absolute, map(Path, workflow.overwrite_configfiles))
    names = [str(file.relative_to(here) if file.is_relative_to(here) else file) for file in files]
    return shlex.join(["snakemake", "--cores", "1", *(["--configfile", *names] if names else [])])


def own_classifier_files():
    """Weights and Python file of the user's own classifier, or nothing where Counterwarp trains one."""
    own = config["classifier"]["own"]
    return [own["weights"], own["file"]] if own else []
