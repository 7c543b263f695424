"""Every table and every configuration that cannot be used, and what a user reads about it before any work."""

from pathlib import Path

import pytest
import yaml
from counterwarp.cohorts import sources
from counterwarp.cohorts.table import check_covariates
from counterwarp.config import check_config
from counterwarp.errors import ConfigError

ROOT = Path(__file__).parents[2]
HEADER = "subject\tpath\tgroup\tage\tsex\n"
ROWS = [f"{i:03d}\t{i:03d}.nii.gz\t{'control' if i % 2 else 'patient'}\t70.5\tF\n" for i in range(1, 9)]
GOOD = HEADER + "".join(ROWS)

# As shipped.
STRIP = {"engine": "auto", "head": "auto", "bet_fraction": "auto", "masks": ""}


def configuration(**sections):
    """The shipped configuration with some values changed, section by section."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    for section, values in sections.items():
        config[section] = config[section] | values if isinstance(values, dict) else values
    return config


def index(folder, content, name="scans.tsv", covariates=(), leave_out=lambda name, reason: None):
    """What is made of a table of eight images, which are there."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    for i in range(1, 9):
        (folder / f"{i:03d}.nii.gz").touch()
    cohort = configuration(cohort={"source": "table", "path": str(folder / name)})["cohort"]
    return sources.index(cohort, "", covariates, leave_out)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("scans.tsv", b"\xef\xbb\xbf" + GOOD.encode()),
        ("scans.tsv", GOOD.replace("\n", "\r\n")),
        ("scans.csv", GOOD.replace("\t", ",").replace("70.5", '"70.5"')),
        ("scans.tsv", GOOD.replace("\t", " \t ") + "\n\n"),
        ("scans.tsv", GOOD.replace("\tF", "\tfemale")),
    ],
    ids=["byte-order mark", "line ends of Windows", "quoted cells", "spaces and empty lines", "words for sexes"],
)
def test_a_table_that_only_looks_different_is_read(tmp_path, name, content):
    scans = index(tmp_path, content, name)
    assert scans["subject"].tolist() == [f"{i:03d}" for i in range(1, 9)]
    assert set(scans["age"]) == {70.5} and set(scans["sex"]) == {"F"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD + ROWS[0], "sub-001: listed 2 times"),
        (GOOD.replace("\tsex", "\tgender"), "no column sex (it has 'subject', 'path', 'group', 'age', 'gender')"),
        (GOOD.replace("\t", ";"), "no column subject, path, group, age, sex (it has 'subject;path;group;age;sex')"),
        (GOOD.replace("70.5", "old", 1), "sub-001: age 'old' is not a number of years"),
        (GOOD.replace("70.5", "", 1), "sub-001: age '' is not a number of years"),
        (GOOD.replace("70.5", "705", 1), "sub-001: age '705' is not a number of years"),
        (GOOD.replace("70.5", "nan", 1), "sub-001: age 'nan' is not a number of years"),
        (
            GOOD.replace("70.5", "70,5", 1),
            "age '70,5' is not a number of years; the regional model needs it; write 70.5",
        ),
        (GOOD.replace("age\tsex", "sex\tage"), "sub-001: age 'F' and sex '70.5' are swapped"),
        (GOOD.replace("F\n", "9\n", 1), "sub-001: sex '9' is not F or M"),
        (
            GOOD.replace("control", "CN").replace("patient", "AD"),
            "cohort.labels: no scan has one of 'control', 'patient'; correct the labels",
        ),
        (GOOD.replace("patient", "control"), "no patient among 8 subjects; a classifier needs both groups"),
        (HEADER + "".join(ROWS[:2]), "train: 0 of 1 patient subjects; add subjects or change cohort.validation_share"),
        (GOOD.replace("001\t", "../001\t", 1), "subject '../001' may hold letters and digits only; rename it"),
        (GOOD.replace("001\t", "$(reboot)\t", 1), "subject '$(reboot)' may hold letters and digits only"),
        (GOOD.replace("001\t", "a b;c\t", 1), "subject 'a b;c' may hold letters and digits only"),
        (GOOD.replace("001\t", "\t", 1), "001.nii.gz: no subject; give each scan its subject"),
        (GOOD.replace("001\t", f"{'x' * 200}\t", 1), "has 204 characters; give it at most 150"),
        (GOOD.replace("001.nii.gz", "../001.nii.gz", 1), "row 1: '../001.nii.gz' leaves the folder of the table"),
        (GOOD.replace("001.nii.gz", "/etc/passwd", 1), "row 1: '/etc/passwd' leaves the folder of the table"),
        (GOOD.replace(".nii.gz", ".nii"), "none of its 8 images can be read; correct the paths, which start at "),
        (
            GOOD.replace("1.nii", "1.ni").replace("3.nii", "3.ni").replace("5.nii", "5.ni").replace("7.nii", "7.ni"),
            "no control among 4 subjects; a classifier needs both groups",
        ),
        (GOOD.replace("1.nii", "1\0.nii", 1), "not a table of UTF-8 text (it holds zero bytes); save it as UTF-8"),
        (GOOD.replace("F\n", "F\textra\n", 1), "row 1 has 6 cells and the header 5; correct the row"),
        (GOOD.replace("sex", "age", 1), "column 'age' is there 2 times; keep one"),
        (HEADER, "no row below the header; give each scan one"),
        ("", "the table is empty; give it a header line"),
        (GOOD.replace("F", "é", 1).encode("latin-1"), "not a table of UTF-8 text"),
        (b"\x1f\x8b\x00\xff" + bytes(range(256)), "not a table of UTF-8 text"),
    ],
)
def test_a_bad_table_stops_before_any_work_and_says_what_to_do(tmp_path, content, message):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigError) as caught:
        index(tmp_path, content)
    assert message in str(caught.value)
    assert sorted(path.suffix for path in tmp_path.iterdir() if not path.is_symlink()) == [*[".gz"] * 8, ".tsv"]


@pytest.mark.parametrize("name", ["none.nii.gz", "loop", "dangling", ".", "x" * 300, "001.nii.gz/x"])
def test_a_row_without_its_file_is_left_out_with_its_reason(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere.nii.gz")
    left_out = []
    scans = index(tmp_path, GOOD.replace("001.nii.gz", name, 1), leave_out=lambda *why: left_out.append(why))
    assert scans["subject"].tolist() == [f"{i:03d}" for i in range(2, 9)]
    [(scan, reason)] = left_out
    assert scan == "sub-001" and f"{tmp_path}/scans.tsv: row 1: no file {tmp_path}" in reason


def test_an_image_without_permission_is_left_out_as_no_job_could_read_it(as_nobody):
    """Snakemake itself reads the images of some jobs, and there one would stop the whole run."""
    left_out = []
    table = f"{as_nobody.folder}/scans.tsv"
    index(as_nobody.folder, GOOD)
    (as_nobody.folder / "001.nii.gz").chmod(0)
    cohort = configuration(cohort={"source": "table", "path": table})["cohort"]
    with as_nobody:
        scans = sources.index(cohort, "", leave_out=lambda *why: left_out.append(why))
    assert scans["subject"].tolist() == [f"{i:03d}" for i in range(2, 9)]
    why = f"no permission to read {as_nobody.folder}/001.nii.gz; ask its owner for it"
    assert left_out == [("sub-001", f"{table}: row 1: {why}")]


def test_who_was_left_out_is_said_where_nobody_is_left(tmp_path):
    with pytest.raises(ConfigError) as caught:
        index(tmp_path, GOOD.replace("patient\t", "MCI\t").replace("001.nii.gz", "none", 1))
    assert caught.value.problems == [
        "no patient among 3 subjects; a classifier needs both groups",
        f"5 subjects, sessions or images are left out, the first: sub-001: {tmp_path}/scans.tsv: row 1: no file "
        f"{tmp_path}/none",
    ]


def test_splits_of_the_users_own_are_checked(tmp_path):
    lines = GOOD.splitlines()
    splits = ["split", "train", "train", "validation", "validation", "test", "test", "train", "train"]
    own = [f"{line}\t{split}" for line, split in zip(lines, splits, strict=True)]
    assert index(tmp_path, "\n".join(own))["split"].tolist() == splits[1:]
    with pytest.raises(ConfigError, match="split 'dev' is not one of train, validation, test"):
        index(tmp_path, "\n".join(own).replace("validation", "dev"))
    visits = [f"{line}\t{'session' if i == 0 else 1}" for i, line in enumerate(own)]
    again = visits[1].replace("train\t1", "test\t2")
    with pytest.raises(ConfigError, match="sub-001: in test and train; keep a subject in one split"):
        index(tmp_path, "\n".join([*visits, again]))


def test_a_table_that_is_not_there_or_is_a_folder_is_named(tmp_path):
    for path in (tmp_path / "none.tsv", tmp_path):
        cohort = configuration(cohort={"source": "table", "path": str(path)})["cohort"]
        with pytest.raises(ConfigError, match=r"no such table; set cohort\.path"):
            sources.index(cohort, "")


def test_all_faults_of_all_rows_are_listed_together(tmp_path):
    bad = GOOD.replace("70.5", "old", 1).replace("002\t", "..\t", 1).replace("003.nii.gz", "../none", 1)
    with pytest.raises(ConfigError) as caught:
        index(tmp_path, bad, covariates=["height"])
    assert len(caught.value.problems) == 4
    assert "roi.formula: no column 'height' in the table of scans" in str(caught.value)


def with_a_column(name, cells):
    return "\n".join(f"{line}\t{cell}" for line, cell in zip(GOOD.splitlines(), [name, *cells], strict=True))


def problems_of_covariate(scans, name, categories=(), modelled=True):
    try:
        check_covariates(scans, ["age", "sex", name], categories, modelled & (scans["scan"] != ""))
    except ConfigError as error:
        return error.problems
    return []


@pytest.mark.parametrize(
    ("cells", "problems"),
    [
        (["12.5", "1e1", "-3", "0", "8", "9", "10", "11"], []),
        (
            ["12,5", *"1234567"],
            ["sub-001: moca '12,5' is not a number, as most are; write 12.5 with a point, or C("],
        ),
        ([f"2{i},5" for i in range(8)], [f"sub-00{i + 1}: moca '2{i},5' is not a number" for i in range(8)]),
        (["old", "nan", *"123456"], ["sub-001: moca 'old' is not a number", "sub-002: moca 'nan' is not a number"]),
        (["n/a", "", *"123456"], ["sub-001: no moca, which roi.formula reads; fill", "sub-002: no moca, which"]),
        ([""] * 8, [f"sub-00{i + 1}: no moca, which roi.formula reads" for i in range(8)]),
        (["Graz", "Bern", "Bern", "Graz", "Bern", "1", "2", "3"], []),
        (["Graz", "Bern", "Bern", "Graz", "Bern", "Graz", "Bern", ""], ["sub-008: no moca"]),
    ],
    ids=["numbers", "one comma", "all commas", "words", "empty", "all empty", "names", "an empty name"],
)
def test_a_covariate_with_holes_or_with_words_among_numbers_is_refused(tmp_path, cells, problems):
    scans = index(tmp_path, with_a_column("moca", cells), covariates=["moca"])
    found = problems_of_covariate(scans, "moca")
    assert len(found) == len(problems)
    assert all(problem.startswith(start) for problem, start in zip(found, problems, strict=True))


def test_names_that_are_mostly_numbers_and_scans_that_no_model_sees_are_let_be(tmp_path):
    scans = index(tmp_path, with_a_column("site", ["", "4b", *"123412"]))
    assert problems_of_covariate(scans, "site", {"site"}, scans["scan"] != "sub-001") == []
    assert len(problems_of_covariate(scans, "site")) == 2


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"cohort": {"sed": 1}}, "cohort: unknown key 'sed'; did you mean 'seed'?"),
        ({"speed": 1}, "configuration: unknown key 'speed'; did you mean 'seeds'?"),
        ({"cohort": {"test_share": "a third"}}, "cohort.test_share: 'a third' is not of type 'number'"),
        ({"cohort": {"validation_share": 0.5, "test_share": 0.5}}, "leave no subject to train on; lower them"),
        (
            {"cohort": {"columns": {"group": "dx", "age": "dx", "sex": "sex"}}},
            "cohort.columns: 'dx' is given for 2 of group, age, sex; name each once",
        ),
        ({"cohort": {"labels": {"CN": "healthy", "AD": "patient"}}}, "'healthy' is not one of ['control', 'patient']"),
        ({"cohort": {"bids": {"acq": "a-b", "rec": None, "run": "first"}}}, "(the label after acq-, or null)"),
        ({"cohort": {"bids": {"acq": None, "rec": None, "run": 2}}}, "cohort.bids.run: 2 is not one of"),
        ({"qc": {"exclude": "listed"}}, "qc.exclude: listed needs the table of the scans"),
        ({"qc": {"listed": "out.tsv"}}, "would not be read, because qc.exclude is none"),
        (
            {"preprocess": {"strip": STRIP | {"engine": "robex", "masks": "mine"}}},
            "masks: 'mine' would not be read, because preprocess.strip.engine is robex; set it to mask, or leave",
        ),
        (
            {"preprocess": {"strip": STRIP | {"engine": "robex", "head": "MNI152NLin2009cAsym"}}},
            "head: 'MNI152NLin2009cAsym' would not be read, because preprocess.strip.engine is robex; set it to",
        ),
        (
            {"preprocess": {"strip": STRIP | {"bet_fraction": 0.25}}},
            "bet_fraction: 0.25 would not be read, because preprocess.strip.engine is auto; set it to bet or robex",
        ),
        (
            {"preprocess": {"strip": STRIP | {"engine": "bet", "bet_fraction": 1}}},
            "strip.bet_fraction: 1 is not valid under any of the given schemas (auto, or a share between 0 and 1)",
        ),
        ({"qc": {"exclude": "bad"}}, "qc.exclude: 'bad' is not one of ['none', 'flagged', 'listed']"),
        ({"simulator": {"delta": -3.0}}, "simulator.delta: -3.0 is not valid"),
        ({"simulator": {"delta": 0}}, "(auto, or a number above 0)"),
        ({"simulator": {"output": "image"}}, "an image is computed on the full grid"),
        ({"simulator": {"output_level": 7}}, "simulator.output_level 7 is none of its 4 levels; they count from 0"),
        (
            {"preprocess": {"network_voxel_mm": 2.0}},
            "covers 80 x 96 x 80 mm, but the template's brain needs 146 x 182 x 152 mm",
        ),
        (
            {"classifier": {"channels": [2] * 6}},
            "classifier.channels halves preprocess.network_shape [40, 48, 40] 6 times, and nothing is left",
        ),
        ({"preprocess": {"network_shape": [32, 40]}}, "preprocess.network_shape: [32, 40] is too short"),
        ({"preprocess": {"resolution_mm": -1}}, "(auto, or a number above 0)"),
        ({"seeds": [1, 1]}, "seeds: [1, 1] has non-unique elements"),
        ({"experiment": "../elsewhere"}, "(letters, digits, _ and -)"),
        ({"explain": {"methods": ["lime"]}}, "explain.methods.0: 'lime' is not valid"),
        ({"roi": {"tissues": "fast"}}, "roi.tissues: 'fast' is not one of ['priors', 'kmeans']"),
        ({"roi": {"model": "anova"}}, "roi.model: 'anova' is not one of ['ols', 'mixed']"),
    ],
)
def test_a_bad_configuration_says_the_key_the_value_and_the_remedy(sections, message):
    with pytest.raises(ConfigError) as caught:
        check_config(configuration(**sections), ROOT / "schemas/config.schema.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize("engine", ["auto", "deepbet", "template", "robex", "bet", "robex+bet", "mask", "none"])
def test_what_an_engine_does_not_read_is_no_fault_where_nobody_has_set_it(engine):
    config = configuration()
    assert config["preprocess"]["strip"] == STRIP
    config["preprocess"]["strip"]["engine"] = engine
    check_config(config, ROOT / "schemas/config.schema.yaml")


def test_a_table_without_permission_is_named(tmp_path, as_nobody):
    path = as_nobody.folder / "participants.tsv"
    path.write_text("participant_id\tgroup\tage\tsex\n")
    path.chmod(0)
    cohort = configuration(cohort={"source": "bids", "path": str(as_nobody.folder)})["cohort"]
    with as_nobody, pytest.raises(ConfigError, match=r"participants.tsv: no permission to read it"):
        sources.index(cohort, "")
