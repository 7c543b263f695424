"""What two projects that share a cache take from each other: everything that is the same, and nothing else."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from running import ROOT, TARGETS, TINY, Workflow

STUDY = {
    "experiment": "first",
    "seeds": [1],
    "cohort": {"source": "bids", "validation_share": 0.3, "test_share": 0.3},
    "explain": {"methods": ["cycle", "cycle_bce", "defigan", "vagan", "backprop", "gradcam"]},
    "sanity": {"methods": ["backprop"]},
}


class Project(Workflow):
    """A clone with a dataset of its own: eight subjects, all with two sessions."""

    def __init__(self, folder: Path, **sections):
        super().__init__(folder)
        self.data = folder / "data"
        self.study = STUDY | sections
        self.study["cohort"] = self.study["cohort"] | {"path": str(self.data)}
        names = [f"sub-{number:02d}" for number in range(8)]
        people = pd.DataFrame({"participant_id": names, "sex": ["F", "M"] * 4, "group": ["control", "patient"] * 4})
        self.data.mkdir()
        people.to_csv(self.data / "participants.tsv", sep="\t", index=False)
        for name in names:
            (self.data / name).mkdir()
            self.write_ages(name, 70, 72)
            for session in ("ses-1", "ses-2"):
                image = self.image(name, session)
                image.parent.mkdir(parents=True)
                image.write_bytes(f"what the scanner saw of {name} in {session}".encode())

    def image(self, subject: str, session: str) -> Path:
        return self.data / f"{subject}/{session}/anat/{subject}_{session}_T1w.nii.gz"

    def write_ages(self, subject: str, *ages: float) -> None:
        visits = pd.DataFrame({"session_id": ["ses-1", "ses-2"], "age": ages})
        visits.to_csv(self.data / f"{subject}/{subject}_sessions.tsv", sep="\t", index=False)

    def write_study(self) -> Path:
        study = self.folder / "study.yaml"
        study.write_text(yaml.safe_dump(self.study))
        return study

    def ask(self, program: str, *arguments: Path) -> None:
        """Run a program of the tests on the workflow and this project's configuration."""
        command = [sys.executable, ROOT / "tests" / program, self.code / "Snakefile", self.folder, *arguments]
        command += [TINY, self.write_study()]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            pytest.fail(done.stdout[-4000:])

    def keys(self) -> dict[str, str]:
        """Of each job that can be cached, without the folder of the experiment, its key in the cache."""
        answers = self.folder / "keys.json"
        self.ask("provenance.py", answers)
        return {re.sub(r"results/\w+/", "", job): key for job, key in json.loads(answers.read_text()).items()}

    def planned(self, *arguments: str) -> set[str]:
        """The jobs, as rule and scan where it has one, that a dry run would start."""
        text = self.run("--dry-run", *arguments, configfiles=[self.write_study()])
        parts = re.split(r"^ *(?:local)?rule (\w+):", text, flags=re.MULTILINE)[1:]
        jobs = [
            " ".join([rule, *re.findall(r"wildcards: .*\bscan=([\w-]+)", told)])
            for rule, told in zip(parts[::2], parts[1::2], strict=True)
        ]
        return set(jobs) - TARGETS


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> dict[str, str]:
    return Project(tmp_path_factory.mktemp("first")).keys()


@pytest.fixture
def second(tmp_path) -> Project:
    return Project(tmp_path, experiment="second")


def missed(project: Project, first: dict[str, str]) -> set[str]:
    """The jobs that do not find their results in the cache that the first project has filled."""
    return {job for job, key in project.keys().items() if key not in first.values()}


def rules(jobs: set[str]) -> set[str]:
    return {job.split()[0] for job in jobs}


def test_no_two_jobs_have_one_key(first):
    assert len(first) > 140 and len(set(first.values())) == len(first)


def test_the_same_inputs_elsewhere_take_everything_from_the_cache(first, second):
    assert second.keys() == first


def test_another_content_of_one_scan_misses_that_scan_and_what_is_made_of_all(first, second):
    second.image("sub-03", "ses-2").write_bytes(b"another day")
    jobs = missed(second, first)
    of_scans = {job for job in jobs if "sub-" in job}
    assert of_scans and all("sub-03" in job for job in of_scans)
    assert rules(jobs) >= {"prepare_scan", "register", "pack", "train_classifier", "explain_simulator"}
    assert "templates" not in rules(jobs) and "atlas" not in rules(jobs)


def test_images_exchanged_between_two_subjects_miss_although_all_inputs_are_the_same(first, second):
    one, other = second.image("sub-00", "ses-1"), second.image("sub-01", "ses-1")
    contents = one.read_bytes(), other.read_bytes()
    other.write_bytes(contents[0])
    one.write_bytes(contents[1])
    assert rules(missed(second, first)) >= {"prepare_scan", "normalise", "pack", "train_classifier", "region_volumes"}


def test_fixed_and_moving_exchanged_miss_although_both_images_are_the_same(first, second):
    second.write_ages("sub-01", 72, 70)
    jobs = missed(second, first)
    assert "observed_change" in rules(jobs)
    assert not rules(jobs) & {"prepare_scan", "strip", "register", "normalise"}


def test_a_changed_module_misses_what_runs_it_and_what_follows(first, second):
    with open(second.code / "workflow_scripts/counterwarp/training/cycle.py", "a") as module:
        module.write("\n# changed\n")
    jobs = rules(missed(second, first))
    assert jobs >= {"train_simulator", "explain_simulator", "group_map", "methods_table"}
    assert not jobs & {"prepare_scan", "pack", "train_classifier", "train_generator", "syn", "roi_glm"}


@pytest.mark.parametrize(
    ("section", "misses", "hits"),
    [
        ({"simulator": {"steps": 4}}, {"train_simulator", "group_figure"}, {"train_classifier", "train_generator"}),
        ({"preprocess": {"seed": 2}}, {"strip", "register", "pack", "train_classifier"}, {"prepare_scan", "atlas"}),
        ({"seeds": [2]}, {"train_classifier", "explain_saliency"}, {"pack", "syn", "roi_glm"}),
        ({"threads": 2}, {"train_classifier", "explain_saliency", "voxelwise_tbm"}, {"pack", "syn", "roi_glm"}),
    ],
    ids=["setting", "seed of registrations", "seed of networks", "threads"],
)
def test_another_setting_misses_what_depends_on_it(first, second, section, misses, hits):
    second.study |= section
    jobs = missed(second, first)
    assert rules(jobs) >= misses and not rules(jobs) & hits


VOXELWISE = {"voxelwise", "voxelwise_table", "voxelwise_figure"}
MAPS = {
    "group_map",
    "group_figure",
    "group_methods_figure",
    "group_viewer",
    "longitudinal_table",
    "longitudinal_figure",
}
TABLES = {"methods_table", "logits_figure"}
BASELINES = {"baselines_table", "classifier_figure"}
MEASURED = {"measure_regions", "region_volumes", "exclusions"}
SUBJECTS = {"subject_figures", "subject_methods_figure"}
NETWORKS = {
    "train_classifier",
    "train_simulator",
    "train_generator",
    "explain_saliency",
    "explain_simulator",
    "explain_generator",
    "classifier_table",
    "classifier_figure",
    "training_figure",
    "removal_figure",
    "sanity_table",
    "sanity_figure",
}


def correct_an_age(project: Project) -> None:
    project.write_ages("sub-03", 70, 72.5)


def change_a_weight_of_the_simulator(project: Project) -> None:
    project.study["simulator"] = {"smoothness_weight": 25.0}


def change_a_colour(project: Project) -> None:
    with open(project.code / "workflow_scripts/counterwarp/figures/regions.py", "a") as module:
        module.write("\n# another colour\n")


def add_a_region(project: Project) -> None:
    module = project.code / "workflow_scripts/counterwarp/imaging/parcellation.py"
    listed, measured, rest = module.read_text().partition("    *phantom.STRUCTURES,\n")
    assert measured
    module.write_text(f'{listed}{measured}    Region("thalamus", "GM", (8, -8, 8), (16, -26, 8), 8),\n{rest}')


EDITS = pytest.mark.parametrize(
    ("edit", "again"),
    [
        (correct_an_age, {"cohort_figure", "roi_glm", "regions_figure", "voxelwise_tbm"} | VOXELWISE | BASELINES),
        (
            change_a_weight_of_the_simulator,
            {"train_simulator", "explain_simulator"} | MAPS | TABLES | SUBJECTS | VOXELWISE,
        ),
        (change_a_colour, {"regions_figure"}),
        (add_a_region, {"parcellation", "regions_figure", "roi_glm"} | MEASURED | TABLES),
    ],
)


@EDITS
def test_an_edit_makes_again_exactly_what_follows_from_it(first, second, edit, again):
    edit(second)
    assert rules(missed(second, first)) == again


# No result, and never cached: files a scan that are put out of arrays, pages of the report, what adds up the run.
OF_THE_REPORT = {"export_maps", "table_page", "about_page", "cost_table"}


@pytest.fixture
def finished(second) -> Project:
    """A project that looks as if all of it had run."""
    second.ask("built.py")
    assert second.planned() == set()
    return second


@EDITS
def test_a_dry_run_after_an_edit_names_exactly_what_follows_from_it(finished, edit, again):
    edit(finished)
    planned = {job.split()[0] for job in finished.planned()}
    # Nor is the table of failures ever cached.
    assert planned - OF_THE_REPORT == again | ({"failures_table"} if again & MEASURED else set())


def test_results_moved_to_another_folder_are_still_the_results(finished, tmp_path):
    shutil.move(finished.folder, tmp_path / "elsewhere")
    finished.folder = tmp_path / "elsewhere"
    assert finished.planned() == set()


def test_a_dry_run_after_a_scan_is_replaced_names_its_steps_and_no_other_scan(finished):
    finished.image("sub-03", "ses-2").write_bytes(b"another day")
    jobs = finished.planned()
    of_scans = {job for job in jobs if " " in job}
    # Of a later scan: it is neither warped to the template nor measured.
    steps = ("prepare_scan", "strip", "register", "normalise", "qc", "observed_change")
    assert of_scans == {f"{step} sub-03_ses-2" for step in steps}
    judged = {"qc_table", "exclusions", "failures_table"}
    again = (
        judged | NETWORKS | MAPS | TABLES | SUBJECTS | VOXELWISE | {"voxelwise_tbm", "pack", "pack_changes"} | BASELINES
    )
    assert jobs - of_scans - OF_THE_REPORT == again


def test_a_dry_run_of_the_first_steps_of_a_subject_names_all_its_steps_and_no_other_subject(finished):
    """As docs/hpc.md has it."""
    first = "results/second/intermediate/sub-03/ses-{0}/sub-03_ses-{0}_desc-conform_T1w.nii.gz"
    again = ("--forcerun", *map(first.format, (1, 2)))
    steps = ("prepare_scan", "strip", "register", "normalise", "qc")
    preprocessing = {f"{step} sub-03_ses-{session}" for step in steps for session in (1, 2)}
    assert finished.planned(*again, "--", "preprocess") == preprocessing
    jobs = finished.planned(*again)
    assert preprocessing < jobs and {"syn sub-03_ses-1", "observed_change sub-03_ses-2", "train_classifier"} < jobs
    assert {job.split()[1].split("_")[0] for job in jobs if " " in job} == {"sub-03"}
