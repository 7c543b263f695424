"""Commands that are shown to users do what they say."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHOWN = ("*.md", "*.yaml", "*.def", "docs/*.md", "slurm/**/*.yaml", "experiments/*.yaml")


def test_no_target_is_shown_where_snakemake_takes_it_for_a_configuration_file():
    of_option = re.compile(r"--configfile(?: [^\s`]+\.yaml)+ (?!-|[^\s`]+\.yaml)[^\s`(#]+")
    assert of_option.search("snakemake --configfile a.yaml b.yaml train")
    assert not of_option.search("snakemake --configfile a.yaml b.yaml")
    assert not of_option.search("`snakemake train --configfile a.yaml` runs; --configfile a.yaml --cores 1 train")
    files = [path for pattern in SHOWN for path in ROOT.glob(pattern)]
    found = {path.name: of_option.findall(path.read_text()) for path in files}
    assert len(files) > 15 and not {name: places for name, places in found.items() if places}
