"""The methods paragraph: one sentence a stage, with what it cites."""

from collections.abc import Callable

import pandas as pd

from counterwarp import __version__
from counterwarp.explain import methods
from counterwarp.figures.references import REFERENCES
from counterwarp.imaging.engines import bet_fraction
from counterwarp.stats.formula import columns_of

# Of each atlas.
TEMPLATES = {"mni152": "MNI152 [Fonov 2011]", "sri24": "SRI24 [Rohlfing 2010]"}

# How scans are scaled for the networks.
SCALED = {
    "z_score": "normalised to zero mean and unit variance inside the brain",
    "percentiles": "scaled so that the percentiles 5 and 95 inside the brain are -1 and 1",
}

# What the coupled simulator is compared with.
COMPARED = {
    "cycle_bce": "simulators trained by cross-entropy to the other group in place of a shift of the logit [Liu 2021]",
    "cycle_two_encoders": "two simulators of ordinary convolutions [Liu 2021]",
    "cycle_displacement": "a simulator that computes a displacement [Liu 2021]",
    "cycle_velocity": "a simulator that computes a velocity, whose flow warps [Arsigny 2006]",
    "cycle_fixed_delta": "a simulator asked for a fixed shift of the logit, 12.5 [Liu 2021]",
    "defigan": "DeFI-GAN, a warp that takes the disease out of patients' images to convince a critic [Lanfredi 2020]",
    "vagan": "VA-GAN, the same by a change of intensity [Baumgartner 2018]",
    "backprop": "the gradient of the logit [Simonyan 2014]",
    "guided_backprop": "guided back-propagation [Springenberg 2015]",
    "gradcam": "Grad-CAM [Selvaraju 2017]",
    "guided_gradcam": "guided Grad-CAM [Selvaraju 2017] (all by Captum [Kokhlikyan 2020])",
    "occlusion": "the accuracy lost where a window of the scan is hidden [Zeiler 2014]",
}


# Sources whose images are made, with the change that sets the groups apart.
TRUTH_KNOWN = ("demo", "gaussians", "toy")


def _cohort(config: dict, scans: pd.DataFrame) -> str:
    subjects = scans[scans["baseline"]]
    counts = subjects["group"].value_counts()
    who = (
        f"{len(scans)} T1-weighted scans of {len(subjects)} subjects ({counts.get('control', 0)} controls, "
        f"{counts.get('patient', 0)} patients)"
    )
    if config["cohort"]["source"] == "demo":
        regions = " and ".join(
            f"{name.replace('_', ' ')} ({change:+g})" for name, change in config["cohort"]["demo"]["regions"].items()
        )
        return (
            f"{who} were simulated by random diffeomorphic deformation of the MNI152 head [Fonov 2011], with pose, "
            f"bias field and Rician noise; the disease changes the mean logarithm of the volume of {regions} at "
            "severity 1, and every scan's true map is known"
        )
    if config["cohort"]["source"] == "films":
        what = "posteroanterior chest X-rays" if "view" in scans else "images"
        return (
            f"{len(scans)} {what} of {scans['subject'].nunique()} subjects "
            f"({(scans['group'] == 'control').sum()} of controls, {(scans['group'] == 'patient').sum()} of patients) "
            "were read from a table"
        )
    if config["cohort"]["source"] == "gaussians":
        return (
            f"{len(scans)} images of four Gaussians were drawn for each seed; the two off the diagonal tell the groups "
            "apart [Liu 2021]"
        )
    is_bids = config["cohort"]["source"] == "bids"
    read = f"{who} were {'indexed from a BIDS dataset [Gorgolewski 2016]' if is_bids else 'read from a table'}"
    return f"{read}; {_planted(config)}" if config["cohort"]["plant"]["regions"] else read


def _planted(config: dict) -> str:
    """How a known disease came into people's own scans."""
    regions = " and ".join(
        f"{name.replace('_', ' ')} ({change:+g})" for name, change in config["cohort"]["plant"]["regions"].items()
    )
    return (
        "the groups are not those of the data: of each two subjects next to each other in sex and age one was drawn as "
        "a patient, and a smooth flow, carried from the template to each patient's scan by SyN [Avants 2008], changed "
        f"the mean logarithm of the volume of {regions} at severity 1; scans of controls were resampled in the same "
        "way, and every scan's true map is known"
    )


def _films(config: dict, scans: pd.DataFrame) -> str:
    edge, crop = (config["preprocess"]["films"][name] for name in ("edge", "crop"))
    return (
        f"The centre square of each film was resized to {edge} x {edge} pixels and its histogram equalised; networks "
        f"saw {crop} x {crop} pixels, DeFI-GAN and VA-GAN at random places in training, else the centre"
    )


# How each engine takes off the skull, and by what each one aligns brains.
STRIPPED = {
    "deepbet": "stripped of the skull by deepbet [Fisch 2024]",
    "template": "stripped of the skull by symmetric diffeomorphic registration of a head template [Avants 2008]",
    "robex": "stripped of the skull by ROBEX [Iglesias 2011]",
    "bet": "stripped of the skull by BET (fractional intensity threshold {fraction}) [Smith 2002]",
    "robex+bet": "stripped of the skull by ROBEX [Iglesias 2011] and then BET (fractional intensity threshold "
    "{fraction}) [Smith 2002]",
    "mask": "stripped of the skull by brain masks that came with them",
    "none": "taken without skull, as they came",
}
ALIGNED = {"ants": "ANTs [Avants 2011a]", "flirt": "FLIRT [Jenkinson 2002]"}
MAPS = {7: "a similarity", 12: "an affine"}
# What guides the segmentation of tissues.
GUIDED = {
    "priors": "guided by the template's tissues carried to the scan",
    "kmeans": "guided by k-means of the signal, its darkest class taken for CSF and its brightest for white matter",
}


def _preprocess(config: dict, scans: pd.DataFrame) -> str:
    settings = config["preprocess"]
    cut = "cut off below the head by FSL [Jenkinson 2012], " if settings["conform"] == "fsl" else ""
    denoised = "denoised by non-local means [Manjón 2010], " if settings["denoise"] else ""
    stripped = STRIPPED[settings["strip"]["engine"]].format(fraction=bet_fraction(settings["strip"]))
    shape = " x ".join(map(str, settings["network_shape"]))
    scanned = "Scans"
    if settings["recipe"]:
        embedded = "" if settings["conform"] == "fsl" else ", whose FSL and ROBEX were not installed, on other engines"
        scanned = f"After the recipe of DeFI-GAN [Lanfredi 2020]{embedded}, scans"
    return (
        f"{scanned} were brought to one orientation, {cut}{denoised}corrected for intensity bias [Tustison 2010], "
        f"{stripped}, and aligned to {TEMPLATES[config['atlas']]} by {MAPS[settings['register']['dof']]} "
        f"transformation with {ALIGNED[settings['register']['engine']]}; for the networks they "
        f"were resampled to {shape} voxels of {settings['network_voxel_mm']:g} mm and "
        f"{SCALED[settings['intensity']]}"
    )


def _classifier(config: dict, scans: pd.DataFrame) -> str:
    settings, seeds = config["classifier"], len(config["seeds"])
    if settings["own"]:
        return "The classifier was given, trained elsewhere"
    parts = scans[scans["baseline"]]["split"].value_counts()
    train, validation, test = (parts.get(split, 0) for split in ("train", "validation", "test"))
    against = (
        ", on each image also with the small change that misleads it most [Goodfellow 2015],"
        if settings["perturbation"]
        else ""
    )
    averaged = " its weights averaged over the later epochs [Izmailov 2018]," if settings["average_from"] < 1 else ""
    repeated = f"; all training was repeated with {seeds} seeds, over which maps are averaged" if seeds > 1 else ""
    return (
        f"A convolutional classifier with {len(settings['channels'])} blocks was trained on {train} subjects by binary "
        f"cross-entropy and Adam [Kingma 2015]{against} for {settings['epochs']} epochs,{averaged} of which "
        f"{validation} validation subjects chose one, and tested on {test} others; "
        f"no subject is in two splits{repeated}"
    )


# What bounds the critic of each kind.
PENALISED = {
    "wgan_gp": "whose gradient is penalised where it is not of length one [Gulrajani 2017]",
    "r1": "whose gradient is penalised on images of controls, with the logistic loss [Mescheder 2018]",
}


def _critic(config: dict, scans: pd.DataFrame) -> str:
    settings = config["adversarial"]
    penalised = PENALISED[settings["critic"]]
    if settings["critic_network"] != "resnet18":
        return (
            "DeFI-GAN and VA-GAN were trained against a critic of convolutions without norm [Baumgartner 2018], "
            f"{penalised}"
        )
    start = (
        "which started from the given ImageNet weights"
        if settings["critic_weights"]
        else "which started at random, since no ImageNet weights were given"
    )
    return f"DeFI-GAN and VA-GAN were trained against a ResNet-18 [He 2016] {start}, {penalised}"


def _simulator(config: dict, scans: pd.DataFrame) -> str:
    if config["simulator"]["output"] == "image":
        return (
            "Coupled simulators share an encoder and decoder of conditional convolutions [Yang 2019] and draw an image "
            "anew in the other group, so that the classifier's logit moves, the way back restores the image "
            "[Zhu 2017], and the change is smooth, all in one objective [Liu 2021]"
        )
    smooth = {
        "displacement": "the displacement is smooth",
        "velocity": "the velocity, whose flow is the warp [Arsigny 2006], is smooth",
    }
    mirrored = "; once trained, they take the mean of what a scan and its mirror image give"
    return (
        "One pair of coupled simulators shares an encoder and decoder of conditional convolutions [Yang 2019] and "
        "warps a scan into the other group so that the classifier's logit moves, the way back restores the scan "
        f"[Zhu 2017], and {smooth[config['simulator']['output']]}, all in one objective [Liu 2021]"
        f"{mirrored if config['simulator']['flip'] and _is_mirrored(config['classifier']) else ''}"
    )


def _is_mirrored(classifier: dict) -> bool:
    """Whether to the classifier an image and its mirror image are one."""
    return classifier["flip"] and not classifier["own"]


def _explain(config: dict, scans: pd.DataFrame) -> str:
    others = [text for method, text in COMPARED.items() if method in config["explain"]["methods"]]
    compared = f"; it was compared with {', '.join(others)}" if others else ""
    if config["simulator"]["output"] == "image":
        return f"A map is the change of intensity, in the direction from controls to patients for both groups{compared}"
    return (
        "The logarithm of tissue volume change is -log det(I + grad phi) of the pull-back displacement phi, given in "
        f"the direction of the disease for both groups{compared}"
    )


def _removal(config: dict, scans: pd.DataFrame) -> str:
    used = "; ".join(text for method, text in COMPARED.items() if method in config["explain"]["methods"])
    return f"Explained by {used}"


def _pairs(config: dict, scans: pd.DataFrame) -> str:
    if config["cohort"]["source"] == "films":
        images, by, where = "films", "an affine transformation with SimpleITK [Lowekamp 2013]", "where both are seen"
    else:
        images, by, where = "scans", "a rigid transformation with ANTs [Avants 2011a]", "inside both brains"
    return (
        f"Of two {images} of a subject between which the disease began or went on, the earlier one was registered to "
        f"the later one by {by}; the change of intensity that a method predicts was compared with that between the two "
        f"{where} by normalised cross-correlation [Lanfredi 2020]"
    )


def _group(config: dict, scans: pd.DataFrame) -> str:
    which = "all" if config["group"]["split"] == "all" else f"the {config['group']['split']}"
    return (
        f"First scans of {which} subjects were registered to the template by SyN [Avants 2008]; their maps were "
        "carried along and averaged. Voxel by voxel, the maps' mean was tested against zero, and the log-volumes of "
        "these registrations between the groups [Ashburner 2000], each at a family-wise error of 5 % by "
        f"{config['group']['permutations']} permutations [Winkler 2014]"
    )


def _roi(config: dict, scans: pd.DataFrame) -> str:
    settings, covariates = config["roi"], columns_of(config["roi"]["formula"])
    native = settings["volumes"] == "native"
    model = (
        "linear mixed models, with a random intercept for each subject,"
        if settings["model"] == "mixed"
        else ("ordinary least squares")
    )
    given = f" with {' and '.join(covariates)} as covariates" if covariates else ""
    return (
        f"Tissue was segmented by Atropos [Avants 2011b], {GUIDED[settings['tissues']]}, and regional "
        f"volumes, {'in native space' if native else 'normalised for head size'}, were "
        f"compared between groups by two-tailed {model}{given} "
        "[Seabold 2010], with false discovery rates over the regions [Benjamini 1995]"
    )


def _evaluate(config: dict, scans: pd.DataFrame) -> str:
    known = config["cohort"]["source"] in TRUTH_KNOWN or config["cohort"]["plant"]["regions"]
    compared = "Maps were compared with the truth by normalised cross-correlation inside the brain [Liu 2021]; "
    intervals = (
        "95 % intervals of the classifier's scores are Wilson's [Wilson 1927], their combination [Zou 2008] and "
        "Newcombe's [Newcombe 2006], at the threshold half way between the groups' mean logits in validation subjects"
    )
    return f"{compared}{intervals}" if known else intervals


def _workflow(config: dict, scans: pd.DataFrame) -> str:
    return f"The analysis is a Snakemake workflow [Mölder 2021], Counterwarp {__version__}"


# In the order in which the data flow.
STAGES: tuple[Callable[[dict, pd.DataFrame], str], ...] = (
    _cohort,
    _preprocess,
    _classifier,
    _simulator,
    _explain,
    _critic,
    _removal,
    _pairs,
    _group,
    _roi,
    _evaluate,
    _workflow,
)


# What is done to scans and not to drawn images.
OF_SCANS = (_preprocess, _pairs, _group, _roi)
# What needs a simulator.
OF_SIMULATORS = (_simulator, _explain)
OF_FILMS = (_cohort, _films, _classifier, _simulator, _explain, _critic, _removal, _pairs, _workflow)


def methods_text(config: dict, scans: pd.DataFrame) -> tuple[str, list[str]]:
    """The methods paragraph of a run and the references that it cites, in alphabetical order.

    Args:
        config: the whole configuration.
        scans: the table of scans.
    """
    source, used = config["cohort"]["source"], config["explain"]["methods"]
    left_out = set(OF_SCANS if source == "gaussians" else ())
    left_out |= set(OF_SIMULATORS if not set(used) & set(methods("simulator")) else (_removal,))
    left_out |= set() if set(used) & set(methods("generator")) else {_critic}
    left_out |= set() if config["longitudinal"] else {_pairs}
    stages = OF_FILMS if source == "films" else STAGES
    text = ". ".join(stage(config, scans) for stage in stages if stage not in left_out) + "."
    return text, [reference for key, reference in REFERENCES.items() if f"[{key}]" in text]
