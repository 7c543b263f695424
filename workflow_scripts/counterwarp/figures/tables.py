"""What the report says about each of its tables."""

from dataclasses import dataclass

import pandas as pd

from counterwarp.figures.pages import page, table_section
from counterwarp.stats import MEAN


@dataclass(frozen=True)
class Told:
    """A page's title, its text (a blank line parts paragraphs), what it says of a table without rows, and how many rows
    it shows at most."""

    title: str
    text: str
    empty: str = "None."
    most: int | None = None

    def paragraphs(self) -> list[str]:
        """The text without its line ends."""
        return [" ".join(paragraph.split()) for paragraph in self.text.split("\n\n")]


TABLES = {
    "failures": Told(
        "Failures",
        """A scan that fails in one step is left out of all later ones; the others are not held up. The last
        column is the command that tries the step again.""",
        "None: every step of every scan succeeded.",
    ),
    "exclusions": Told(
        "Who is not used, and why",
        """step: cohort (left out of the table of scans), the step in which a scan failed, qc (flagged by quality
        control) or list (listed by the user). used: partly for scans that networks see and a later step, which failed,
        does not; yes for scans that are flagged and used all the same; qc.exclude of the configuration decides.
        Another image of a scan that is used may be among those left out. Their pictures are in 3 Quality control.""",
        "None: every scan is used, and none is in doubt.",
    ),
    "cohort": Told("Cohort", "Subjects and scans by group and split. Ages are those at the first scan."),
    "qc": Told(
        "Quality control",
        """One row a scan: first those that failed, then those with flags. grade: good without flags; check with one;
        bad with two or more, or with a number far beyond its limit. misfit_mm: how far a second, quick registration
        moves the brain from its place on the template. Where the truth is known (simulated cohorts), mask_dice
        compares the brain mask with it, and the landmark error is the mean distance between where the estimated and
        the true pose put the same points of the brain.""",
    ),
    "classifier": Told(
        "Classifier: scores",
        """One scan a subject, the first, so that subjects are independent. 95 % intervals: Wilson for accuracy,
        sensitivity and specificity; balanced accuracy combines the last two (Zou and Donner); area under the
        curve after Newcombe. The validation split chose the epoch and the threshold, half way between the mean logits
        of its groups, and is therefore not unseen. temperature: (logit - threshold) / temperature is the log-odds of a
        patient where both groups are as frequent.""",
    ),
    "verdict": Told(
        "Classifier: are the groups told apart?",
        """Area under the curve on test subjects, of each seed and of the mean logit over seeds (all). Where its 95 %
        interval does not lie above 0.5, the classifier may be guessing, and its maps may explain no disease.""",
        "No test subject.",
    ),
    "baselines": Told(
        "Classifier: simple models on the same subjects",
        """Logistic regressions that learn from the same training subjects, tested on the same test subjects, each
        with its threshold from validation. image: 20 principal components of the network's images; mask: the same of
        the brain's outline alone; histogram: intensities inside the brain; covariates: those of the regional model. A
        network that is no better than one of them need not have seen the disease.""",
        "None: the subjects do not allow any.",
    ),
    "regions": Told(
        "Regions: volume by group",
        """Each region's volume explained by roi.formula: by ordinary least squares at the first scan of each subject
        or, where roi.model is mixed, at all scans with a random intercept for each subject. difference_ml: patients
        minus controls. p is two-tailed; q is the false discovery rate over the regions (Benjamini and Hochberg);
        regions made of others, as Rectus of Rectus_L and Rectus_R, are a family of their own, so that none counts
        twice. effect: the difference over the residual standard deviation, with its 95 % interval. Volumes are in the
        template's space, hence normalised for head size, unless roi.volumes is native. affected: what the simulated
        disease does (+1 expands, -1 shrinks), where that is known. trust, for people on MNI152: good where volumes of
        the region followed a reference segmentation of real heads (r of 0.75 and more), weak where they did not,
        unknown where the reference has no such region.""",
    ),
    "residuals": Told(
        "Regions: checks of the model",
        """What the model of each region leaves. converged: a mixed model that did not has numbers of little worth.
        normal_p: Shapiro and Wilk's test of a normal distribution;
        equal_variance_p: Breusch and Pagan's of a variance that does not depend on the model's columns. outlier: the
        scan that fits worst, with its studentised residual and its p, corrected for the number of scans (Bonferroni);
        empty where roi.model is mixed.
        One in twenty is below 0.05 where all is well. Look at an outlier's picture in 3 Quality control.""",
    ),
    "methods": Told(
        "Methods against truth",
        """Level subject: over the first scans of the test subjects, each in its own space, inside the brain.
        Level group: the averaged map on the template. ncc: normalised cross-correlation with the true map of
        volume change (1 perfect, -1 opposite); ncc_abs: the same of absolute values. sign_correct: share of
        affected regions in which the mean of the map has the right sign. region_slope, region_r: least-squares slope
        and correlation of the regions' predicted mean log-Jacobians on the true ones; at a slope of 1 the map can be
        read as the size of the change. folding_percent: brain voxels in
        which the displacement folds. cycle_rmse: root mean square difference of an image and its simulation
        back (sd of the brain's signal). logit_shift: towards the other group. changes_sides: share of scans
        whose class changes. rank_correlation: Spearman's, of the logits of a group's scans before and after
        simulation, 1 where it keeps the order of severity. cycle_logit_error: difference of the logits of an image
        and its simulation back.

        For one seed, mean and sd are over n subjects; for seed all, over n seeds. Seed mean: the maps averaged over
        the seeds, compared like those of one. An undefined correlation (a
        map without any variation) is not counted in n. Where no truth is known, only the measures that need
        none are given.""",
    ),
    "sanity": Told(
        "Sanity checks",
        """How alike a method's maps of the trained classifier are to its maps of one that knows nothing: mean over the
        first scans of the test subjects of the absolute normalised cross-correlation inside the brain. layers: how
        many of the classifier's layers, from the last, were given new random weights. A method FAILS whose maps are
        still 0.5 alike when all layers are new, or when the labels in training were shuffled. A simulator is trained
        anew with the shuffled labels; for new layers that would be one training each, and is not done.""",
    ),
    "longitudinal": Told(
        "Change between two scans",
        """Normalised cross-correlation of the change that a method predicts (the later scan without the disease, minus
        that scan) with the change that was observed (the earlier scan, registered to the later, minus the later; heads
        rigidly, films affinely), inside both brains, of films where both are seen: mean over a subject's pairs, then
        over the test subjects. mean and sd are over the seeds, low and high the 95 % interval when subjects are drawn
        anew. Where the true change between the scans is known, true_mean and true_sd are of the prediction with it, and
        limit is that of the observed change with it.""",
    ),
    "longitudinal_order": Told(
        "Change between two scans: pairs of methods",
        """Difference of the two methods' normalised cross-correlation over the same subjects, with its 95 % interval
        when subjects are drawn anew, and p of the test that turns the sign of each subject's difference (two-sided).
        """,
    ),
    "voxelwise": Told(
        "Voxelwise inference",
        """Where in the brain volume changes, corrected for the family of all voxels (p < 0.05). A simulator: mean of
        the subjects' maps. tbm: tensor-based morphometry, patients minus controls, of the same subjects.
        significant_percent: of the brain's voxels. Where the truth is known: ncc of the effect to it; sensitivity,
        the share of truly changed voxels (by more than 2 %) found with the right sign; false_percent, of the voxels
        found, those without true change or with the wrong sign. ncc_reference and dice_reference: agreement with
        tbm of the effects, and of the voxels found with equal sign. nan: nothing was found.""",
    ),
    "order": Told(
        "Order of the methods in the paper",
        """Whether each method beats those that Liu et al. 2021 (Fig. 3h) put behind it: difference of the mean NCC
        over test images, mean over seeds, with its 95 % interval (Student's t over seeds). A verdict other than
        undecided has the whole interval on one side of 0.""",
    ),
    "region_changes": Told(
        "Methods against truth, by region",
        """Mean of the group map in each region, in the unit of the method, and the true mean. For simulators
        both are log-Jacobians (expansion positive) and change_percent gives them as tissue volume change;
        saliency maps have no such unit and only their sign can be compared (Grad-CAM has none).""",
        "No truth is known for this cohort.",
    ),
    "speed": Told(
        "Time per scan",
        """Wall time of the method alone, all scans in batches on the device that the job's log names; with it goes what
        the job needs to start and to write. Methods whose maps came from the cache are missing.""",
        "No log was found: every result of this run came from the cache.",
    ),
    "cost": Told(
        "Cost",
        """From the log of each job that ran; a result taken from the cache costs nothing and is not counted.
        cpu_s and wall_s add up all jobs of a rule; longest_s and peak_mb are those of its largest job; places are the
        hosts that they ran on, each with its partition where it is of a cluster.""",
        "No log was found: every result of this run came from the cache.",
    ),
    "jobs": Told(
        "Jobs",
        """Where and when each job ran, and what it cost, from its log; of a large study the 1,000 dearest, while
        tables/jobs.tsv has all. job is the name of its log. device: that of networks. start: by the clock of the host.
        """,
        "No log was found: every result of this run came from the cache.",
        most=1000,
    ),
}


# What the summary of methods shows: (level, metric) -> its column.
SUMMARY = {
    ("subject", "ncc_median"): "NCC, median subject",
    ("subject", "ncc"): "NCC, subjects",
    ("subject", "ncc_abs"): "NCC of absolute values, subjects",
    ("group", "ncc"): "NCC, group",
    ("group", "sign_correct"): "regions of right sign",
    ("subject", "folding_percent"): "folding, %",
    ("subject", "cycle_rmse"): "cycle error, sd",
    ("subject", "logit_shift"): "logit shift",
}


# Of the maps averaged over the seeds.
OF_MEAN_MAPS = (
    ("subject", "ncc_median", "NCC, median subject, mean of seeds"),
    ("group", "ncc", "NCC, group, mean of seeds"),
    ("group", "sign_correct", "regions of right sign, mean of seeds"),
)


def methods_summary(methods: pd.DataFrame) -> pd.DataFrame:
    """One row a method, one column a measure, as mean ± sd: over seeds where there are several, else over subjects.

    With several seeds three more columns are of their mean maps.

    Args:
        methods: of `counterwarp.stats.methods.summarise`, seeds as text.
    """
    several = (methods["seed"] == MEAN).any() or methods["seed"].nunique() > 2
    chosen = methods[(methods["seed"] == "all") == several]
    averaged = methods[methods["seed"] == MEAN].set_index(["method", "level", "metric"])["mean"]
    rows = []
    for method, part in chosen.groupby("method", sort=False):
        row = {"method": method}
        measures = part.set_index(["level", "metric"])
        for key, column in SUMMARY.items():
            if key in measures.index:
                measure = measures.loc[key]
                sd = "" if pd.isna(measure["sd"]) else f" ± {measure['sd']:.2g}"
                row[column] = f"{measure['mean']:.3g}{sd}"
        for level, metric, column in OF_MEAN_MAPS:
            if (method, level, metric) in averaged:
                row[column] = f"{averaged[method, level, metric]:.3g}"
        rows.append(row)
    return pd.DataFrame(rows, columns=None if rows else ["method"]).fillna("")


def longitudinal_summary(methods: pd.DataFrame) -> pd.DataFrame:
    """Table 1 of Bigolin Lanfredi et al. 2020: a column a method, NCC as mean ± sd over the seeds.

    Args:
        methods: of `counterwarp.stats.longitudinal.summarise`.

    Returns:
        Rows: with the observed change and, where there are any, its intervals; where it is known, with the true change,
        for which the observed change has a column too.
    """
    known = "true_mean" in methods
    columns = {"with": ["observed change", "95 % interval over subjects", "true change"]}
    for row in methods.to_dict("records"):
        true = _spread(row["true_mean"], row["true_sd"]) if known else ""
        columns[row["method"]] = [_spread(row["mean"], row["sd"]), f"{row['low']:.3f} to {row['high']:.3f}", true]
    if known and len(methods):
        columns["observed change"] = ["", "", f"{methods['limit'].iloc[0]:.3f}"]
    table = pd.DataFrame(columns if len(methods) else {name: [] for name in columns})
    return table[[True, methods["low"].notna().any(), known]] if len(methods) else table


def _spread(mean: float, sd: float) -> str:
    return f"{mean:.3f}" + ("" if pd.isna(sd) else f" ± {sd:.3f}")


# Table -> title of its summary, and what makes it.
SUMMARISED = {
    "methods": ("All methods", methods_summary),
    "longitudinal": ("Normalised cross-correlation of the predicted change", longitudinal_summary),
}


def table_page(name: str, table: pd.DataFrame) -> str:
    """The page of one of TABLES; those in SUMMARISED begin with a summary."""
    told = TABLES[name]
    title, summarise = SUMMARISED.get(name, ("", None))
    whole = "Every measure" if summarise else ""
    sections = [table_section(table.head(told.most or len(table)), f"{name}.tsv", whole, told.empty)]
    if summarise:
        sections.insert(0, table_section(summarise(table), f"{name}_summary.tsv", title))
    return page(told.title, told.paragraphs(), sections)
