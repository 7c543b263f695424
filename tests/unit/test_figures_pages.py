"""Pages of the report: escaped, complete in themselves, failures first."""

import base64
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from counterwarp.cohorts.exclusions import exclusions
from counterwarp.figures.about import about_page
from counterwarp.figures.methods_text import STAGES, STRIPPED, methods_text
from counterwarp.figures.pages import page, table_section
from counterwarp.figures.tables import TABLES, longitudinal_summary, methods_summary, table_page
from counterwarp.figures.viewer import LARGEST_PAGE
from counterwarp.imaging.engines import settle

ROOT = Path(__file__).parents[2]
HOSTILE = 'sub-<img src=x onerror="alert(1)">'


def test_a_hostile_scan_id_stays_text():
    table = pd.DataFrame(
        {"scan": [HOSTILE], "rule": ["conform"], "reason": ["</td><script>x</script>"], "rerun": ["`rm`"]}
    )
    html = table_page("failures", table)
    assert "<img" not in html and "<script>" not in html
    assert "sub-&lt;img src=x onerror=&#34;alert(1)&#34;&gt;" in html


def test_an_id_and_a_reason_from_the_users_tables_stay_text():
    left_out = pd.DataFrame({"scan": [HOSTILE], "reason": ["its group '<script>alert(1)</script>' is not known"]})
    html = table_page("exclusions", exclusions(left_out, {}, [], [], {}, "none"))
    assert "<img" not in html and "<script>" not in html
    assert "its group &#39;&lt;script&gt;alert(1)&lt;/script&gt;&#39;" in html


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_a_page_that_needs_nothing_else(name):
    told = TABLES[name]
    columns = ["method", "seed", "level", "metric", "mean", "sd", "n"] if name == "methods" else ["scan", "value"]
    empty = table_page(name, pd.DataFrame(columns=columns))
    assert told.title in empty and told.empty in empty
    assert not re.search(r"(src|href)=\"(?!data:)", empty) and "http" not in empty


def test_of_many_jobs_the_report_shows_the_dearest_as_text():
    jobs = pd.DataFrame({"job": [f"{HOSTILE}_{number:04d}" for number in range(1001)], "cpu_s": range(1001, 0, -1)})
    html = table_page("jobs", jobs)
    assert html.count("<tr><td>") == 1000 and "_0999" in html and "_1000" not in html and "<img" not in html


def test_no_failure_is_said():
    empty = pd.DataFrame(columns=["scan", "rule", "reason", "rerun"])
    assert "None: every step of every scan succeeded." in table_page("failures", empty)


def test_the_table_saved_from_a_page_is_the_table():
    table = pd.DataFrame({"region": ["a"], "p": [1e-9], "n": [60]})
    section = table_section(table, "regions.tsv")
    saved = base64.b64decode(section.address.split("base64,")[1]).decode()
    assert saved == "region\tp\tn\na\t1e-09\t60\n"
    assert [cell.text for cell in section.rows[0]] == ["a", "1.00e-09", "60"]


def test_missing_numbers_are_blank():
    section = table_section(pd.DataFrame({"sd": [np.nan, 0.25], "scan": [None, "a"]}), "x.tsv")
    assert [[cell.text for cell in row] for row in section.rows] == [["", ""], ["0.25", "a"]]


def test_failures_come_first_in_the_report():
    rules = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    categories = sorted(set(re.findall(r'"(\d [A-Z][A-Za-z ]+)"', rules)))
    assert categories[0] == "1 Failures"
    assert [int(name[0]) for name in categories] == sorted({int(name[0]) for name in categories})


def test_the_methods_paragraph_cites_what_it_lists():
    config = demo_config()
    scans = pd.DataFrame(
        {
            "scan": list("abcd"),
            "baseline": [True, True, True, False],
            "group": ["control", "patient", "patient", "patient"],
        }
    ).assign(split="train")
    text, references = methods_text(config, scans)
    assert "4 T1-weighted scans of 3 subjects (1 controls, 2 patients)" in text
    assert len(references) == len(set(re.findall(r"\[([^\]]+ \d{4}[ab]?)\]", text)))
    authors = [reference.split()[0] for reference in references]
    assert authors == sorted(authors)
    # Two are of generators, which the demo has not.
    assert text.count(". ") >= len(STAGES) - 3 and "DeFI-GAN" not in text


def test_the_methods_paragraph_of_the_benchmark_speaks_of_no_scan():
    config = demo_config()
    overlay = yaml.safe_load((ROOT / "experiments/liu2021_gaussians.yaml").read_text())
    for section, values in overlay.items():
        config[section] = config[section] | values if isinstance(values, dict) else values
    images = pd.DataFrame({"scan": ["a"], "baseline": [True], "group": ["control"], "split": ["train"]})
    text, _ = methods_text(config, images)
    assert "four Gaussians" in text and "change of intensity" in text and "with 5 seeds" in text
    for absent in ("skull", "template", "Atropos", "volume change"):
        assert absent not in text


def demo_config() -> dict:
    """The default configuration, settled as a run does it."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    settle(config)
    return config


def two_scans() -> pd.DataFrame:
    return pd.DataFrame({"scan": list("ab"), "baseline": True, "group": ["control", "patient"], "split": "train"})


@pytest.mark.parametrize("engine", STRIPPED)
def test_the_methods_paragraph_names_the_engines_and_cites_them(engine):
    config = demo_config()
    default, _ = methods_text(config, two_scans())
    assert (
        "registration of a head template [Avants 2008]" in default and "an affine transformation with ANTs" in default
    )
    assert "FSL" not in default and "FLIRT" not in default
    config["preprocess"] |= {"conform": "fsl", "register": {"engine": "flirt", "dof": 7}}
    config["preprocess"]["strip"] |= {"engine": engine, "bet_fraction": 0.25}
    text, references = methods_text(config, two_scans())
    assert "by FSL [Jenkinson 2012]" in text and "by a similarity transformation with FLIRT [Jenkinson 2002]" in text
    assert ("ROBEX [Iglesias 2011]" in text) == ("robex" in engine)
    assert ("BET (fractional intensity threshold 0.25) [Smith 2002]" in text) == (engine in ("bet", "robex+bet"))
    assert len(references) == len(set(re.findall(r"\[([^\]]+ \d{4}[ab]?)\]", text)))
    config["preprocess"]["strip"]["bet_fraction"] = "auto"
    text, _ = methods_text(config, two_scans())
    assert ("BET (fractional intensity threshold 0.5)" in text) == (engine == "bet")
    assert ("BET (fractional intensity threshold 0.25)" in text) == (engine == "robex+bet")


def test_the_methods_paragraph_claims_a_truth_only_where_there_is_one():
    config = demo_config()
    assert "compared with the truth" in methods_text(config, two_scans())[0]
    config["cohort"] = config["cohort"] | {"source": "bids"}
    real = methods_text(config, two_scans())[0]
    assert "truth" not in real and "planted" not in real and "indexed from a BIDS dataset" in real
    config["cohort"] = config["cohort"] | {"plant": {"regions": {"hippocampus": -0.2}}}
    planted = methods_text(config, two_scans())[0]
    assert "hippocampus (-0.2) at severity 1" in planted and "compared with the truth" in planted
    assert "the groups are not those of the data" in planted


def test_the_methods_paragraph_says_where_mirror_images_are_averaged():
    config = demo_config()
    assert "mean of what a scan and its mirror image give" in methods_text(config, two_scans())[0]
    for section in ("simulator", "classifier"):
        config[section]["flip"] = False
        assert "mirror image" not in methods_text(config, two_scans())[0]
        config[section]["flip"] = True


def test_the_methods_paragraph_says_what_guided_the_segmentation():
    config = demo_config()
    by_priors, _ = methods_text(config, two_scans())
    assert "guided by the template's tissues carried to the scan, and regional volumes, normalised" in by_priors
    config["roi"]["tissues"] = "kmeans"
    by_kmeans, references = methods_text(config, two_scans())
    assert "by Atropos [Avants 2011b], guided by k-means of the signal" in by_kmeans and "carried to" not in by_kmeans
    assert any("n-tissue segmentation" in line for line in references)


def test_versions_and_command_lines_of_the_engines_are_on_the_page():
    config = demo_config()
    strip = {"Engine": "bet", "CommandLines": ["bet a b -f 0.5"], "SoftwareVersions": {"nipype": "1.2", "FSL": "6.0.7"}}
    conform = {"Engine": "nibabel", "CommandLines": [], "SoftwareVersions": {"nibabel": "5.4"}}
    html = about_page(config, two_scans(), {"conform": conform, "strip": strip})
    assert "Preprocessing ran on nibabel 5.4, nipype 1.2, FSL 6.0.7." in html
    assert re.search(r"<td>strip</td>\s*<td>bet</td>\s*<td>nipype 1.2, FSL 6.0.7</td>\s*<td>bet a b -f 0.5</td>", html)
    assert "Preprocessing ran" not in about_page(config, two_scans(), {})


def configured(experiment):
    config = demo_config()
    for section, values in yaml.safe_load((ROOT / f"experiments/{experiment}.yaml").read_text()).items():
        config[section] = config[section] | values if isinstance(values, dict) else values
    return config


def test_the_methods_paragraphs_of_defigan_speak_of_no_simulator():
    scans = pd.DataFrame({"scan": ["a", "b"], "subject": "1", "group": ["control", "patient"], "split": "train"})
    scans["baseline"] = [True, False]
    films = configured("defigan_copd")
    text, references = methods_text(films, scans.assign(view="PA"))
    assert "2 posteroanterior chest X-rays of 1 subjects (1 of controls, 1 of patients)" in text
    assert "256 x 256" in text and "no ImageNet weights" in text and any("SimpleITK" in line for line in references)
    films["adversarial"]["critic_weights"] = "resnet18.safetensors"
    assert "started from the given ImageNet weights" in methods_text(films, scans)[0]
    slices, _ = methods_text(films | {"longitudinal": None}, scans)
    assert "2 images of 1 subjects" in slices and "X-rays" not in slices and "earlier one" not in slices
    assert "earlier one" in text
    heads, _ = methods_text(configured("defigan_adni"), scans)
    assert (
        "percentiles 5 and 95" in heads
        and "128 x 160 x 112 voxels of 1.3 mm" in heads
        and "convolutions without norm" in heads
        and "whose gradient is penalised where it is not of length one" in heads
    )
    assert (
        "After the recipe of DeFI-GAN [Lanfredi 2020], whose FSL and ROBEX were not installed, on other engines"
        in heads
    )
    for absent in ("coupled", "zero mean"):
        assert absent not in text + heads


def test_methods_are_summarised_over_seeds_where_there_are_several():
    rows = [("cycle", seed, "subject", "ncc", mean, 0.1, 18) for seed, mean in (("1", 0.6), ("2", 0.7))]
    rows.append(("cycle", "all", "subject", "ncc", 0.65, 0.07, 2))
    table = pd.DataFrame(rows, columns=["method", "seed", "level", "metric", "mean", "sd", "n"])
    assert methods_summary(table)["NCC, subjects"].to_list() == ["0.65 ± 0.07"]
    assert methods_summary(table.iloc[[0]])["NCC, subjects"].to_list() == ["0.6 ± 0.1"]
    of_means = pd.DataFrame([("cycle", "mean", "group", "ncc", 0.8, float("nan"), 18)], columns=table.columns)
    summary = methods_summary(pd.concat([table, of_means]))
    assert summary["NCC, group, mean of seeds"].to_list() == ["0.8"]
    assert summary["NCC, subjects"].to_list() == ["0.65 ± 0.07"]


def test_a_page_stays_below_what_browsers_show_inside_the_report():
    # A data address is a third longer than the page, and Chromium shows none above 2 MiB.
    assert LARGEST_PAGE * 4 / 3 < 2 * 2**20
    rows = pd.DataFrame({"scan": [f"sub-{i:05d}" for i in range(1500)], **{f"number_{i}": 0.123456 for i in range(8)}})
    assert len(page("x", [], [table_section(rows, "x.tsv")])) < LARGEST_PAGE


def test_the_methods_paragraph_names_how_the_critic_is_bounded():
    text, references = methods_text(configured("demo_all"), two_scans())
    assert "with the logistic loss [" in text and any("Mescheder" in line for line in references)
    assert not any("Gulrajani" in line for line in references)


def test_the_longitudinal_summary_has_a_column_a_method_as_table_1_of_the_paper():
    row = {"method": "defigan", "mean": 0.3651, "sd": 0.014, "seeds": 5, "low": 0.34, "high": 0.39, "subjects": 143}
    table = pd.DataFrame([row, row | {"method": "vagan", "mean": 0.332, "sd": np.nan}])
    summary = longitudinal_summary(table).set_index("with")
    assert summary.to_dict("index") == {
        "observed change": {"defigan": "0.365 ± 0.014", "vagan": "0.332"},
        "95 % interval over subjects": {"defigan": "0.340 to 0.390", "vagan": "0.340 to 0.390"},
    }
    known = longitudinal_summary(table.assign(low=np.nan, true_mean=[0.6, 0.5], true_sd=0.1, limit=0.25))
    assert known["with"].to_list() == ["observed change", "true change"]
    assert known.iloc[1].to_list() == ["true change", "0.600 ± 0.100", "0.500 ± 0.100", "0.250"]
