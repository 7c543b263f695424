"""Bad input: tables and configuration stop everything with all problems; a bad scan fails alone."""

import gzip
import hashlib
import json
import re
import shlex
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import Workflow
from counterwarp.imaging.io import read_volume
from counterwarp.resources import RESOURCES
from counterwarp.tsv import read_tsv
from counterwarp.workflow import read_failure
from fsl_like import write_programs
from sri24_like import write_sri24_like


@pytest.fixture
def workflow(tmp_path):
    return Workflow(tmp_path)


def overlay(workflow, **sections):
    path = workflow.folder / "overlay.yaml"
    path.write_text(yaml.safe_dump(sections))
    return [path]


def test_bad_configuration_stops_before_any_work_and_lists_everything(workflow):
    files = overlay(workflow, cohort={"sed": 2, "test_share": 3}, simulator={"stepz": 9}, device="tpu")
    text = workflow.run(configfiles=files, check=False)
    assert workflow.returncode != 0
    for wanted in ("'sed'; did you mean 'seed'", "cohort.test_share", "'stepz'", "'tpu'"):
        assert wanted in text
    assert "Traceback" not in text and not workflow.results.exists()


def test_one_class_and_too_few_subjects_stop_before_any_work(workflow):
    text = workflow.run(configfiles=overlay(workflow, cohort={"demo": {"patients": 0, "controls": 2}}), check=False)
    assert workflow.returncode != 0 and "no patient among 2 subjects" in text
    assert "subjects; add subjects or change" in text and "Traceback" not in text


def test_scans_too_few_for_a_split_are_preprocessed_and_nothing_else(workflow):
    few = {"demo": {"controls": 2, "patients": 2, "two_sessions": 0}}
    files = overlay(workflow, cohort=few)
    scan = "sub-001/ses-01/anat/sub-001_ses-01"
    targets = [f"results/tiny/cohort/bids/{scan}_T1w.nii.gz", "results/tiny/tables/cohort.tsv"]
    text = workflow.run("--", *targets, configfiles=files)
    assert text.count("the split is left empty, and nothing that needs one can be made: test: 0 of 2 control") == 1
    scans = read_tsv(workflow.results / "cohort/scans.tsv")
    assert len(scans) == 4 and scans.split.isna().all()
    assert all((workflow.folder / target).exists() for target in targets)
    assert re.search(r"^normalise +4$", workflow.run("--dry-run", "preprocess", configfiles=files), re.MULTILINE)
    assert re.search(r"^roi_glm +1$", workflow.run("--dry-run", "roi", configfiles=files), re.MULTILINE)
    # What networks are made of may lie there from a larger cohort.
    for name in ("images.npy", "index.tsv"):
        (workflow.results / "pack").mkdir(exist_ok=True)
        (workflow.results / "pack" / name).touch()
    for target in ("train", "explain", "group", "report", "all", "results/tiny/pack/images.npy"):
        text = workflow.run("--dry-run", "--", target, configfiles=files, check=False)
        assert workflow.returncode != 0 and text.count("Nothing was started. Correct this first:") == 1, target
        assert "test: 0 of 2 control subjects; add subjects or change" in text and "Traceback" not in text
    text = workflow.run(
        "--dry-run", "roi", configfiles=overlay(workflow, cohort={"demo": {"patients": 0}}), check=False
    )
    assert workflow.returncode != 0 and "no patient among 4 subjects; a classifier needs both groups" in text


def test_engines_and_files_that_are_missing_are_all_listed_before_any_work(workflow, tmp_path, monkeypatch):
    monkeypatch.delenv("FSLDIR", raising=False)
    preprocess = {"conform": "fsl", "register": {"engine": "flirt", "dof": 7}}
    preprocess["strip"] = {"head": {"image": str(tmp_path / "head.nii"), "mask": str(tmp_path / "mask.nii")}}
    files = overlay(workflow, atlas="sri24", resources={"sri24": str(tmp_path)}, preprocess=preprocess)
    text = workflow.run(configfiles=files, check=False)
    assert workflow.returncode != 0 and "Nothing was started" in text
    for wanted in (
        f"resources.sri24: {tmp_path} lacks spgr.nii.gz",
        f"preprocess.strip.head: no file {tmp_path}/head.nii",
        f"preprocess.strip.head: no file {tmp_path}/mask.nii",
        "preprocess.conform: fsl needs FSL",
        "preprocess.register.engine: flirt needs FSL, but no flirt is on PATH; load it (`module load fsl`",
        "FSLDIR is not set, but preprocess.conform: fsl and preprocess.register.engine: flirt need FSL",
    ):
        assert wanted in text
    assert "Traceback" not in text and not workflow.results.exists()


def test_an_fsl_that_does_not_start_stops_before_any_work(workflow, tmp_path, monkeypatch):
    programs = write_programs(tmp_path / "fsl")
    flirt = programs / "bin/flirt"
    flirt.write_text("#!/gone/bin/python\n")
    monkeypatch.setenv("FSLDIR", str(programs))
    monkeypatch.setenv("PATH", str(programs / "bin"), prepend=":")
    preprocess = {"conform": "fsl", "register": {"engine": "flirt", "dof": 7}}
    text = workflow.run(configfiles=overlay(workflow, preprocess=preprocess), check=False)
    assert workflow.returncode != 0 and text.count("Nothing was started") == 1
    assert f"{flirt}, which preprocess.register.engine: flirt needs, does not start (" in text
    assert "robustfov" not in text and "Traceback" not in text and not workflow.results.exists()


def test_a_program_that_breaks_during_a_run_leaves_no_failure_record(workflow, tmp_path, monkeypatch):
    programs = write_programs(tmp_path / "fsl")
    robustfov = programs / "bin/robustfov"
    whole = robustfov.read_text()
    # It says how it is used, and that is all that it can.
    robustfov.write_text('#!/bin/sh\n[ $# = 0 ] && exit 1\nexec /gone/bin/robustfov "$@"\n')
    monkeypatch.setenv("FSLDIR", str(programs))
    monkeypatch.setenv("PATH", str(programs / "bin"), prepend=":")
    # The jobs take the library from here, and not from where it is installed.
    monkeypatch.setenv("PYTHONPATH", str(workflow.code / "workflow_scripts"))
    files = overlay(workflow, preprocess={"conform": "fsl"})
    conformed = "results/tiny/intermediate/sub-001/ses-01/sub-001_ses-01_desc-conform_T1w.nii.gz"
    text = workflow.run("--notemp", "--", conformed, configfiles=files, check=False)
    assert workflow.returncode == 1 and "robustfov does not start on" in text and "/gone/bin/robustfov" in text
    assert not (workflow.folder / conformed).exists()
    robustfov.write_text(whole)
    workflow.run("--notemp", "--", conformed, configfiles=files)
    assert read_failure(workflow.folder / conformed) is None


def test_a_bad_dataset_stops_before_any_work_and_lists_everything(workflow):
    folder = workflow.folder / "dataset"
    for i in range(1, 9):
        image = folder / f"sub-{i:03d}/anat/sub-{i:03d}_T1w.nii.gz"
        image.parent.mkdir(parents=True)
        image.touch()
    groups = ["control", "patient"] * 4
    rows = [f"sub-{i:03d}\t{group}\t70\tF" for i, group in enumerate(groups, 1)]
    rows[0], rows[1], rows[2] = "sub-1\tpatient\t70\tF", "sub-002\tcontrol\tF\t70", "sub-003\tcontrol\t70,5\tx"
    table = "\r\n".join(["participant_id\tgroup\tage\tsex", *rows, rows[7]])
    (folder / "participants.tsv").write_text(table, encoding="utf-8-sig")
    files = overlay(workflow, cohort={"source": "bids", "path": str(folder)}, roi={"formula": "group + height"})
    text = workflow.run(configfiles=files, check=False)
    assert workflow.returncode != 0 and "Nothing was started. Correct this first:" in text
    for wanted in (
        "participants.tsv: '008' is listed more than once; keep one row",
        "participants.tsv: no row for sub-001; '1' has lost a leading zero?",
        "sub-002: age 'F' and sex '70' are swapped; correct the table or cohort.columns",
        "sub-003: sex 'x' is not F or M; the regional model needs it",
        "sub-003: age '70,5' is not a number of years; the regional model needs it; write 70.5 with a point",
        "roi.formula: no column 'height' in the table of scans; it has group, age, sex, subject, session, path",
    ):
        assert wanted in text
    assert "Traceback" not in text and not workflow.results.exists()


def atlas_message(workflow, folder):
    """What is said before any work, of an SRI24 in this folder."""
    files = overlay(workflow, atlas="sri24", resources={"sri24": str(folder)})
    text = workflow.run(configfiles=files, check=False)
    assert workflow.returncode != 0 and "Nothing was started" in text
    assert "Traceback" not in text and not workflow.results.exists()
    return text


def test_an_atlas_whose_folder_or_file_is_missing_stops_before_any_work(workflow, tmp_path):
    text = atlas_message(workflow, tmp_path / "none")
    assert "none lacks spgr.nii.gz, tissues.nii.gz, tzo116plus.nii.gz, SRI24-tzo116plus.txt" in text
    folder = write_sri24_like(tmp_path / "sri24")
    (folder / "tissues.nii.gz").unlink()
    assert f"{folder} lacks tissues.nii.gz; get them from https://www.nitrc.org/projects/sri24" in atlas_message(
        workflow, folder
    )


def test_an_atlas_that_cannot_be_fetched_stops_before_any_work(workflow, tmp_path, monkeypatch):
    monkeypatch.setenv("COUNTERWARP_CACHE", str(tmp_path / "kept"))
    # Where the network is reached through no proxy, its address is one that nobody has.
    module = workflow.code / "workflow_scripts/counterwarp/resources.py"
    module.write_text(module.read_text().replace("https://raw.githubusercontent.com", "https://nowhere.invalid"))
    text = atlas_message(workflow, "")
    assert "nowhere.invalid" in text and "does not answer" in text
    assert f"put the files into {tmp_path}/kept/sri24" in text


def test_an_atlas_of_other_content_stops_with_one_message(workflow, tmp_path):
    folder = write_sri24_like(tmp_path / "sri24")
    table = folder / "SRI24-tzo116plus.txt"
    table.write_text("".join(line for line in table.read_text().splitlines(True) if "Rectus" not in line))
    files = overlay(workflow, atlas="sri24", resources={"sri24": str(folder)})
    brain = "results/tiny/cohort/template/brain_T1w.nii.gz"
    text = workflow.run("--", brain, configfiles=files, check=False)
    assert workflow.returncode != 0 and "no name for label 27, 28; regions are the labels 1 to 116" in text
    assert "Traceback" not in text and not (workflow.folder / brain).exists()


def test_an_atlas_is_fetched_once_for_all_projects(workflow, tmp_path, monkeypatch):
    """From a folder in place of the network, whose files have other digests than SRI24's."""
    monkeypatch.setenv("COUNTERWARP_CACHE", str(tmp_path / "kept"))
    folder = write_sri24_like(tmp_path / "served")
    module = workflow.code / "workflow_scripts/counterwarp/resources.py"
    text = module.read_text().replace(RESOURCES["sri24"].address, folder.as_uri())
    for file, digest in RESOURCES["sri24"].files.items():
        text = text.replace(digest, hashlib.sha256((folder / file).read_bytes()).hexdigest())
    module.write_text(text)
    # The jobs take the library from here, and not from where it is installed.
    monkeypatch.setenv("PYTHONPATH", str(workflow.code / "workflow_scripts"))
    files = overlay(workflow, atlas="sri24")
    brain = "results/tiny/cohort/template/brain_T1w.nii.gz"
    assert re.search(r"^fetch +4$", workflow.run("--", brain, configfiles=files), re.MULTILINE)
    kept = tmp_path / "kept/sri24"
    assert sorted(path.name for path in kept.iterdir()) == sorted(RESOURCES["sri24"].files)
    shutil.rmtree(folder)
    shutil.rmtree(workflow.folder / "results")
    shutil.rmtree(workflow.folder / ".snakemake")
    assert "rule fetch" not in workflow.run("--", brain, configfiles=files)


def test_pairs_that_show_no_change_stop_before_any_work(workflow):
    """Twelve subjects of one scan, and of two: in reverse order, in two splits, at two field strengths."""
    (workflow.folder / "scan.nii.gz").touch()
    split = ["train", "validation", "test", "train", "train", "train"]
    rows = [(f"{i:02d}", "1", 70, ("control", "patient")[i % 2], "3.0", split[i // 2]) for i in range(12)]
    reverse = [("20", "1", 72, "control", "3.0", "test"), ("20", "2", 70, "patient", "3.0", "test")]
    in_two = [("21", "1", 70, "control", "3.0", "test"), ("21", "2", 72, "patient", "3.0", "train")]
    apart = [("22", "1", 70, "control", "1.5", "test"), ("22", "2", 72, "patient", "3.0", "test")]

    def said(rows):
        columns = ["subject", "session", "age", "group", "field_strength", "split"]
        table = pd.DataFrame(rows, columns=columns).assign(sex="F", path="scan.nii.gz")
        table.to_csv(workflow.folder / "scans.tsv", sep="\t", index=False)
        cohort = {"source": "table", "path": str(workflow.folder / "scans.tsv")}
        files = overlay(workflow, cohort=cohort, longitudinal={"earlier": "control", "later": "patient"})
        text = workflow.run("--dry-run", configfiles=files, check=False)
        assert workflow.returncode != 0 and "Nothing was started. Correct this first:" in text
        assert "Traceback" not in text
        return text

    order = "sub-20_ses-2: age 70 as patient, but sub-20_ses-1 has age 72 as control and should be earlier"
    assert order in said(rows + reverse)
    assert "sub-21: in test and train; keep a subject in one split" in said(rows + in_two)
    text = said(rows + apart)
    assert "no control scan is followed by a patient scan of the same subject and field strength" in text
    assert "(subjects with both at different ones: 1): add scans, or set longitudinal: null" in text


# Of a scan's file.
ODD = "scans/é (1) $HOME.nii.gz"


def test_a_row_of_a_table_without_its_file_is_left_out_and_the_run_goes_on(workflow):
    rows = [f"{i:02d}\tscans/{i:02d}.nii.gz\t{('patient', 'control')[i % 2]}\t70\tF\t2{i}.5" for i in range(1, 13)]
    path = workflow.folder / "scans.tsv"
    path.write_text("\n".join(["subject\tpath\tgroup\tage\tsex\tmoca", *rows]) + "\n")
    (workflow.folder / "scans").mkdir()
    for i in range(1, 13):
        (workflow.folder / f"scans/{i:02d}.nii.gz").touch()
    (workflow.folder / "scans/03.nii.gz").unlink()
    save(workflow.folder / ODD, head())
    path.write_text(path.read_text().replace("scans/05.nii.gz", ODD))
    files = overlay(workflow, cohort={"source": "table", "path": str(path)})
    text = workflow.run("--dry-run", "preprocess", configfiles=files)
    assert "1 subjects, sessions or images are left out" in text and re.search(
        r"^prepare_scan +11$", text, re.MULTILINE
    )
    left_out = (workflow.results / "cohort/left_out.tsv").read_text().splitlines()
    assert left_out == ["scan\treason", f"sub-03\t{path}: row 3: no file {workflow.folder}/scans/03.nii.gz"]
    conformed = "results/tiny/intermediate/sub-05/sub-05_desc-conform_T1w.nii.gz"
    workflow.run("--notemp", "--", conformed, configfiles=files)
    assert read_volume(workflow.folder / conformed).shape == head().shape
    path.write_text(path.read_text().replace("21.5", "").replace("22.5", "22,5"))
    files = overlay(workflow, cohort={"source": "table", "path": str(path)}, roi={"formula": "group + moca"})
    text = workflow.run(configfiles=files, check=False)
    assert workflow.returncode != 0 and "Nothing was started" in text and "Traceback" not in text
    assert "sub-01: no moca, which roi.formula reads" in text and "sub-02: moca '22,5' is not a number" in text
    for i in range(2, 13, 2):
        (workflow.folder / f"scans/{i:02d}.nii.gz").unlink()
    text = workflow.run(configfiles=files, check=False)
    assert workflow.returncode != 0 and "Nothing was started" in text and "Traceback" not in text
    assert (
        "no patient among 5 subjects" in text and "7 subjects, sessions or images are left out, the first: sub" in text
    )


def head(value=1.0, shape=(33, 40, 36)):
    x = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    return (1000 * value * (np.linalg.norm(x, axis=0) < 0.8)).astype(np.float32)


def save(path, data):
    affine = np.diag([6.0, 6.0, 6.0, 1.0])
    affine[:3, 3] = -100
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, affine), path)


def upside_down(data):
    """A head that lies in the scanner as its header does not know."""
    return data[:, ::-1, ::-1]


def of_another_modality(data):
    """Bright fluid and dark white matter in a dark background."""
    top = np.percentile(data, 99.5)
    return np.where(data > 0.15 * top, np.clip(1.2 * top - data, 0, None), data)


def cropped(data):
    """A field of view that ends below the top of the head."""
    return data[:, :, : int(0.7 * data.shape[2])]


def copy_scan(source, path, change=lambda data: data):
    """A simulated scan, changed; its head as large as a living one's, and not as MNI152's."""
    image = nib.as_closest_canonical(nib.load(source))
    data = change(image.get_fdata(dtype=np.float32))
    nib.save(nib.Nifti1Image(np.ascontiguousarray(data), np.diag([0.94, 0.94, 0.94, 1]) @ image.affine), path)


def test_bad_scans_fail_alone_and_doubtful_ones_are_not_used(workflow, finished):
    """A BIDS copy of the tiny cohort: one scan is missing, two are spoilt and three doubtful; the run goes on."""
    source = finished.results / "cohort/bids"
    folder = workflow.folder / "dataset"
    people = pd.read_csv(source / "participants.tsv", sep="\t", dtype=str)
    originals = people.participant_id.to_list()
    # A name, and no missing value.
    people.loc[7, "participant_id"] = "sub-NA"
    people.to_csv(folder_of(folder) / "participants.tsv", sep="\t", index=False)
    for i, subject in enumerate(people.participant_id):
        image = folder / f"{subject}/anat/{subject}_T1w.nii.gz"
        original = source / f"{originals[i]}/ses-01/anat/{originals[i]}_ses-01_T1w.nii.gz"
        if i != 2:
            image.parent.mkdir(parents=True)
        if i == 0:
            image.write_bytes(original.read_bytes()[: original.stat().st_size // 2])
        elif i == 1:
            save(image, np.where(head() > 0, np.nan, 0).astype(np.float32))
        elif image.parent.exists():
            copy_scan(original, image, {4: cropped, 5: upside_down, 6: of_another_modality}.get(i, lambda data: data))
            image.with_name(f"{subject}_run-2_T1w.nii.gz").touch()
    files = overlay(workflow, cohort={"source": "bids", "path": str(folder)}, qc={"exclude": "flagged"})
    used = ["results/tiny/pack/index.tsv", "results/tiny/roi/volumes.tsv"]
    targets = [*used, "results/tiny/tables/failures.tsv", "results/tiny/tables/exclusions.tsv"]
    text = workflow.run("--keep-going", *targets, configfiles=files)
    failures = pd.read_csv(workflow.results / "tables/failures.tsv", sep="\t", dtype=str)
    # What was registered upside down may fail too.
    turned_fails = people.participant_id[5] in set(failures.scan)
    failures = failures[failures.scan != people.participant_id[5]]
    wanted = {
        0: ("prepare_scan", "truncated"),
        1: ("prepare_scan", "not finite"),
        6: ("segment", "check its contrast"),
    }
    assert failures.scan.tolist() == [people.participant_id[i] for i in wanted], text[-3000:]
    for failure, (rule, words) in zip(failures.itertuples(), wanted.values(), strict=True):
        assert failure.rule == rule and words in failure.reason
    out = pd.read_csv(workflow.results / "tables/exclusions.tsv", sep="\t", dtype=str)
    other_runs = out.reason.str.contains("_run-2_")
    assert out.scan[other_runs].tolist() == [people.participant_id[i] for i in range(3, 8)]
    # What was upside down is turned by the registration, and fails or is flagged where that is not plausible.
    turned = out.scan == people.participant_id[5]
    out = out[~other_runs & ~turned]
    steps = {(0, "prepare_scan"), (1, "prepare_scan"), (2, "cohort"), (4, "qc"), (6, "qc"), (6, "segment")}
    assert set(zip(out.scan, out.step, strict=True)) == {(people.participant_id[i], step) for i, step in steps}
    assert (out.used == "no").all()
    reason = out.set_index(["scan", "step"]).reason
    assert reason[people.participant_id[2], "cohort"] == "in participants.tsv, but without a T1w image"
    assert "touches the border: brain cut off?" in reason[people.participant_id[4], "qc"]
    assert reason[people.participant_id[6], "qc"]
    # Of the cropped scan, whose regions can be measured, nothing is used.
    good = [people.participant_id[i] for i in ((3, 7) if turned.any() else (3, 5, 7))]
    packed, measured = (list(dict.fromkeys(pd.read_csv(workflow.folder / path, sep="\t").scan)) for path in used)
    assert packed == good and measured == good
    subjects = [read_tsv(workflow.folder / path).subject.unique().tolist() for path in used]
    assert subjects == [[scan.removeprefix("sub-") for scan in good]] * 2
    (workflow.folder / "out.tsv").write_text(f"scan\n{good[-1]}\n")
    quality = {"exclude": "listed", "listed": str(workflow.folder / "out.tsv")}
    workflow.run("--", *used, configfiles=overlay(workflow, cohort={"source": "bids", "path": str(folder)}, qc=quality))
    packed, measured = (list(dict.fromkeys(pd.read_csv(workflow.folder / path, sep="\t").scan)) for path in used)
    assert packed == [people.participant_id[i] for i in ((3, 4, 6) if turned_fails else (3, 4, 5, 6))]
    assert people.participant_id[4] in measured and good[-1] not in measured
    try_again_with_a_whole_scan(workflow, failures.iloc[0], source, folder)


def try_again_with_a_whole_scan(workflow, failure, source, folder):
    """What the table of failures says, from the top of a clone."""
    (folder / f"{failure.scan}/anat/{failure.scan}_T1w.nii.gz").write_bytes(
        (source / f"{failure.scan}/ses-01/anat/{failure.scan}_ses-01_T1w.nii.gz").read_bytes()
    )
    *command, made = shlex.split(failure.rerun)
    assert not (workflow.folder / made).exists()
    workflow.call(*command[1:], made, cwd=workflow.folder)
    assert read_failure(workflow.folder / made) is None


def folder_of(path):
    path.mkdir(parents=True)
    return path


def test_a_truncated_gzip_is_really_truncated(finished):
    """The fault that the test above plants is one that gzip itself refuses."""
    scan = finished.results / "cohort/bids/sub-001/ses-01/anat/sub-001_ses-01_T1w.nii.gz"
    with pytest.raises(EOFError):
        gzip.decompress(scan.read_bytes()[: scan.stat().st_size // 2])
    assert json.loads((finished.results / "cohort/bids/dataset_description.json").read_text())["BIDSVersion"]
