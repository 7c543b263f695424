"""What indexing a BIDS dataset of 1,000 subjects with four visits each costs, measured on empty files."""

import tempfile
import time
from pathlib import Path

import yaml
from counterwarp.cohorts import sources

SUBJECTS, VISITS = 1000, 4


def write_dataset(folder: Path) -> None:
    """Empty images, participants.tsv, and a table of sessions for each subject."""
    lines = ["participant_id\tsex\tgroup"]
    for number in range(SUBJECTS):
        subject = f"sub-{number:04d}"
        lines.append(f"{subject}\t{'FM'[number % 2]}\t{('control', 'patient')[number // 2 % 2]}")
        for visit in range(VISITS):
            image = folder / subject / f"ses-{visit}/anat/{subject}_ses-{visit}_T1w.nii.gz"
            image.parent.mkdir(parents=True)
            image.touch()
        visits = "".join(f"ses-{visit}\t{60 + visit}\n" for visit in range(VISITS))
        (folder / subject / f"{subject}_sessions.tsv").write_text(f"session_id\tage\n{visits}")
    (folder / "participants.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    config = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
    with tempfile.TemporaryDirectory() as name:
        write_dataset(Path(name))
        wall, cpu = time.monotonic(), time.process_time()
        scans = sources.index(config["cohort"] | {"source": "bids", "path": name}, "")
        print(f"{len(scans)} scans: {time.process_time() - cpu:.1f} CPU s, {time.monotonic() - wall:.1f} s")
