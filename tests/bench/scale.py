"""What planning a large study costs: a dry run of N scans of N / 2 subjects, with nothing and with everything built.

    python tests/bench/scale.py [scans]

The images are empty files. Prints seconds, memory and the number of jobs. "Everything built" means that no job ran:
tests/built.py makes an empty file for each output and writes the records that Snakemake keeps of jobs that ended.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[2]


def write_cohort(folder: Path, subjects: int) -> None:
    """A BIDS folder of empty images: two sessions a subject, half of the subjects patients."""
    names = [f"sub-{number:05d}" for number in range(subjects)]
    people = {"participant_id": names, "sex": ["F", "M"] * (subjects // 2)}
    people["group"] = ["control" if number < subjects / 2 else "patient" for number in range(subjects)]
    folder.mkdir(parents=True)
    pd.DataFrame(people).to_csv(folder / "participants.tsv", sep="\t", index=False)
    for name in names:
        visits = pd.DataFrame({"session_id": ["ses-01", "ses-02"], "age": [70, 72]})
        (folder / name).mkdir()
        visits.to_csv(folder / name / f"{name}_sessions.tsv", sep="\t", index=False)
        for session in visits["session_id"]:
            image = folder / name / session / "anat" / f"{name}_{session}_T1w.nii.gz"
            image.parent.mkdir(parents=True)
            image.touch()


def measured(folder: Path, *arguments: str) -> tuple[str, str]:
    """What snakemake prints, and what it cost."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--configfile", folder / "study.yaml", *arguments]
    start = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    text = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(text[-3000:])
    cpu = used.ru_utime + used.ru_stime
    return text, f"{time.monotonic() - start:.0f} s, {cpu:.0f} CPU s, {used.ru_maxrss / 1024:.0f} MB"


def main() -> None:
    scans = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    with tempfile.TemporaryDirectory(prefix="counterwarp-scale-") as name:
        folder = Path(name)
        write_cohort(folder / "data", scans // 2)
        study = {"experiment": "large", "cohort": {"source": "bids", "path": "data"}}
        (folder / "study.yaml").write_text(yaml.safe_dump(study))
        text, cost = measured(folder, "--dry-run", "--cores", "2", "--quiet", "rules")
        jobs = re.search(r"^total +([0-9]+)", text, re.MULTILINE)[1]
        print(f"{scans} scans, {jobs} jobs, nothing built: {cost}", flush=True)
        stand_ins = [ROOT / "tests/built.py", ROOT / "Snakefile", folder, folder / "study.yaml"]
        subprocess.run([sys.executable, *stand_ins], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        text, cost = measured(folder, "--dry-run", "--cores", "2", "--quiet", "rules")
        if "Nothing to be done" not in text:
            sys.exit(f"jobs are left although all is built:\n{text[-3000:]}")
        records = sum(path.stat().st_size for path in (folder / ".snakemake").rglob("*") if path.is_file())
        print(f"{scans} scans, everything built: {cost}; Snakemake's records take {records / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
