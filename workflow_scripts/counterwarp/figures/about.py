"""The page about a run: the methods paragraph, its references, engines and the versions that ran."""

from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from counterwarp import __version__
from counterwarp.figures.methods_text import methods_text
from counterwarp.figures.pages import Section, page, table_section

PACKAGES = (
    "snakemake",
    "antspyx",
    "torch",
    "monai",
    "simpleitk",
    "pillow",
    "captum",
    "nilearn",
    "nibabel",
    "numpy",
    "scipy",
    "scikit-learn",
    "statsmodels",
    "pandas",
    "matplotlib",
)


def versions() -> pd.DataFrame:
    """package, version of what is installed where this runs."""
    rows = [("counterwarp", __version__)]
    for package in PACKAGES:
        try:
            rows.append((package, version(package)))
        except PackageNotFoundError:
            rows.append((package, "not installed"))
    return pd.DataFrame(rows, columns=["package", "version"])


def engines_table(engines: dict[str, dict]) -> pd.DataFrame:
    """step, engine, versions, command line: what preprocessed a scan.

    Args:
        engines: `Engines` of the side-car of a preprocessed scan; empty where there is none.
    """
    rows = [
        (step, told["Engine"], _listed(told["SoftwareVersions"]), line)
        for step, told in engines.items()
        for line in told["CommandLines"] or [""]
    ]
    return pd.DataFrame(rows, columns=["step", "engine", "versions", "command_line"])


def _listed(software: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in software.items())


def about_page(config: dict, scans: pd.DataFrame, engines: dict[str, dict]) -> str:
    """The page with the methods paragraph, its references, engines and the versions that ran.

    Args:
        config: the whole configuration.
        scans: the table of scans.
        engines: as `engines_table`.
    """
    text, references = methods_text(config, scans)
    ran = {name: number for told in engines.values() for name, number in told["SoftwareVersions"].items()}
    return page(
        "About this run",
        [f"{text} Preprocessing ran on {_listed(ran)}." if ran else text],
        [
            Section(heading="References", items=tuple(references)),
            table_section(engines_table(engines), "engines.tsv", heading="Engines of preprocessing, and how they ran"),
            table_section(versions(), "versions.tsv", heading="Versions"),
            Section(heading="Workflow", paragraphs=("Its graph is under General, Workflow, in this report's menu.",)),
        ],
    )
