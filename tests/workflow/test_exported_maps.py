"""Six files a scan are exported by one job: what it writes of scans that are not packed, and what Snakemake notes.

The rest of the workflow looks as if it had run (tests/built.py).
"""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, TINY
from counterwarp.workflow import read_failure

SHAPE = (3, 4, 5)


def build(folder: Path, subjects: int) -> Path:
    """A cohort of whose workflow no job has run."""
    folder.mkdir()
    study = folder / "study.yaml"
    demo = {"controls": subjects // 2, "patients": subjects // 2, "two_sessions": 0}
    study.write_text(yaml.safe_dump({"seeds": [1], "cohort": {"demo": demo}}))
    command = [sys.executable, ROOT / "tests/built.py", ROOT / "Snakefile", folder, TINY, study]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        pytest.fail(done.stdout[-4000:])
    return study


def bytes_noted(folder: Path) -> pd.Series:
    """Of each rule, how much Snakemake has noted of its outputs."""
    noted = [path.read_text() for path in (folder / ".snakemake/metadata").rglob("*") if path.is_file()]
    return pd.Series([len(text) for text in noted]).groupby([json.loads(text)["rule"] for text in noted]).sum()


def test_what_snakemake_notes_of_a_rule_does_not_grow_with_the_square_of_the_cohort(tmp_path):
    noted = []
    for subjects in (8, 16, 24):
        build(tmp_path / str(subjects), subjects)
        noted.append(bytes_noted(tmp_path / str(subjects)))
    few, more, many = noted
    assert many["export_maps"] > 2 * few["export_maps"]
    # Zero of a straight line; of outputs a scan that each name all scans, a seventh of the whole.
    bent = (many - 2 * more + few) / many
    assert bent[bent > 0.02].to_dict() == {}


def test_scans_that_are_not_packed_get_the_pack_s_reason(tmp_path):
    study = build(tmp_path / "run", 8)
    results = tmp_path / "run/results/tiny"
    scans = list(pd.read_csv(results / "cohort/labels.tsv", sep="\t")["scan"])
    failure = {"scan": scans[2], "rule": "strip", "reason": "it's 9 litres\"", "rerun": "snakemake --cores 1"}
    pd.DataFrame([failure]).to_csv(results / "pack/left_out.tsv", sep="\t", index=False)
    packed = pd.DataFrame({"scan": scans[:2] + scans[3:]}).rename_axis("row")
    packed.to_csv(results / "pack/index.tsv", sep="\t")
    (results / "pack/affine.json").write_text(json.dumps(np.diag([12.0, 12, 12, 1]).tolist()))
    for name, shape in {"simulated": SHAPE, "displacement": (3, *SHAPE), "maps": SHAPE}.items():
        values = np.arange(7.0).reshape(7, *[1] * len(shape)) * np.ones(shape)
        np.save(results / f"explain/cycle/seed-1/{name}.npy", values.astype(np.float32))
    end = "_space-MNI152_res-network_desc-cycle_"
    places = [f"results/tiny/derivatives/{scan.replace('_', '/')}/anat/{scan}{end}" for scan in scans]
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", tmp_path / "run"]
    command += ["--cores", "1", "--configfile", TINY, study, "--allowed-rules", "export_maps"]
    command += ["--forcerun", "export_maps", "--", f"{places[0]}T1w.json"]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    for name in ("T1w", "displacement", "logjacobian"):
        for ending in ("nii.gz", "json"):
            assert read_failure(tmp_path / "run" / f"{places[2]}{name}.{ending}") == failure
    # Without the third scan, the fourth is the third row.
    assert nib.load(tmp_path / "run" / f"{places[3]}logjacobian.nii.gz").get_fdata().mean() == 2
    sources = json.loads((tmp_path / "run" / f"{places[3]}T1w.json").read_text())["Sources"]
    assert sources == [f"{places[3]}T1w.nii.gz".replace("cycle_T1w", "normalised_T1w")]
