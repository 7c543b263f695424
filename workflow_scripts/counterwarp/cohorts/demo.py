"""Write the demo cohort: the standard head, BIDS tables, and each scan with its truth beside it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from counterwarp import __version__
from counterwarp.cohorts import phantom
from counterwarp.cohorts.simulate import Anatomy, Scanner, draw_anatomy, draw_scanner, simulate, true_change


@dataclass(frozen=True)
class ScanSettings:
    """What one simulated scan depends on: seed and anatomy draw the head (k and -k are opposite), seed, subject and
    session the rest."""

    seed: int
    subject: str
    session: str
    age: float
    sex: str
    anatomy: int
    severity: float
    mean_severity: float
    age_effect: float
    voxel_mm: float
    anatomy_mm: float
    noise: float

    @property
    def ageing(self) -> float:
        """Severity that age has added."""
        return self.age_effect * (self.age - 70) / 10

    def draw(self, brain: np.ndarray) -> tuple[Anatomy, Scanner]:
        """What stays the same in all scans of this subject, and what is this scan's own.

        Args:
            brain: the standard brain.
        """
        anatomy = draw_anatomy(
            np.random.default_rng([self.seed, abs(self.anatomy)]),
            brain,
            self.anatomy_mm,
            self.sex,
            opposite=self.anatomy < 0,
        )
        of_scan = np.random.default_rng([self.seed, int(self.subject), int(self.session)])
        return anatomy, draw_scanner(of_scan, anatomy.size, self.voxel_mm)


def write_phantom(log_changes: dict[str, float], path: str) -> None:
    """Save the standard head and the velocity of its disease, so that a scan need not make them again (npz)."""
    head = phantom.head()
    np.savez(path, signal=head.signal, brain=head.brain, velocity=phantom.disease_velocity(log_changes))


def write_scan(settings: ScanSettings, phantom_path: str, image: str, log_jacobian: str, mask: str, truth: str) -> None:
    """Simulate one scan; write the scan, the truth maps on its grid (NIfTI) and truth.json (severity and pose)."""
    with np.load(phantom_path) as saved:
        signal, brain, velocity = saved["signal"], saved["brain"], saved["velocity"]
    anatomy, scanner = settings.draw(brain)
    scan = simulate(
        signal,
        brain,
        velocity,
        anatomy,
        scanner,
        severity=settings.severity,
        ageing=settings.ageing,
        counterfactual_severity=settings.mean_severity,
        noise=settings.noise,
    )
    write_image(scan.image, scan.affine, image)
    write_image(scan.log_jacobian, scan.affine, log_jacobian)
    write_image(scan.brain_mask.astype(np.uint8), scan.affine, mask)
    facts = asdict(settings) | {"counterfactual": settings.severity == 0, "pose": scan.pose.tolist()}
    _write_json(facts, truth)


def write_true_change(earlier: ScanSettings, later: ScanSettings, phantom_path: str, change: str) -> None:
    """Write the earlier scan of a subject minus the later one, without what scanners add (`simulate.true_change`)."""
    with np.load(phantom_path) as saved:
        signal, brain, velocity = saved["signal"], saved["brain"], saved["velocity"]
    anatomy, scanner = later.draw(brain)
    states = (settings.severity + settings.ageing for settings in (earlier, later))
    write_image(true_change(signal, velocity, anatomy, scanner, *states), scanner.affine, change)


def write_image(data: np.ndarray, affine: np.ndarray, path: str) -> None:
    """Write a NIfTI whose qform and sform agree, in mm."""
    image = nib.Nifti1Image(data, affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def write_head(image: str, mask: str) -> None:
    """Write the standard head (2 mm), which finds the brain of a scan, and its brain mask."""
    head = phantom.head()
    write_image(head.signal * np.float32(1000), phantom.HEAD.affine, image)
    write_image(head.brain.astype(np.uint8), phantom.HEAD.affine, mask)


README = """The demo cohort of Counterwarp: simulated T1-weighted heads of controls and patients.

Every scan is the MNI152 2009 head with a subject's own random anatomy, pose, contrast, bias field and noise. Patients
have larger lateral ventricles, smaller hippocampi and smaller medial temporal cortices, each by an own severity.
derivatives/truth holds, on each scan's own voxel grid, the brain and the log of the tissue's volume change by the
disease: what a patient's disease has done, or what a disease of mean severity would do to a control.
"""

COLUMNS = {
    "age": {"Description": "age at the scan", "Units": "year"},
    "sex": {"Description": "sex", "Levels": {"F": "female", "M": "male"}},
    "group": {"Description": "group", "Levels": {"control": "no disease", "patient": "simulated disease"}},
    "field_strength": {"Description": "field strength of the scanner", "Units": "tesla"},
    "session_id": {"Description": "visit"},
}


def write_bids_tables(
    scans: pd.DataFrame,
    readme: str,
    description: str,
    truth_description: str,
    participants: str,
    participants_columns: str,
    sessions: list[str],
    sessions_columns: list[str],
) -> None:
    """Write what makes the simulated scans a BIDS dataset with derivatives.

    Args:
        scans: the table of scans.
        readme, description, truth_description: README and dataset_description.json of the scans and of the truth.
        participants, participants_columns: participants.tsv, and the JSON file that describes its columns.
        sessions, sessions_columns: one sessions.tsv for each subject, in the order of subjects, and likewise.
    """
    Path(readme).write_text(README)
    facts = {
        "Name": "Counterwarp demo: simulated heads with known atrophy",
        "BIDSVersion": "1.10.0",
        "DatasetType": "raw",
        "License": "CC0",
        "Authors": ["The Counterwarp developers"],
        "GeneratedBy": [{"Name": "counterwarp", "Version": __version__}],
    }
    _write_json(facts, description)
    _write_json(facts | {"Name": "Truth of the Counterwarp demo", "DatasetType": "derivative"}, truth_description)
    people = scans[scans.baseline]
    table = pd.DataFrame(
        {"participant_id": "sub-" + people.subject, "age": people.age, "sex": people.sex, "group": people.group}
    )
    _write_table(table, participants, participants_columns)
    of_subjects = [visits for _, visits in scans.groupby("subject", sort=True)]
    for visits, path, columns in zip(of_subjects, sessions, sessions_columns, strict=True):
        table = pd.DataFrame(
            {"session_id": "ses-" + visits.session, "age": visits.age, "field_strength": visits.field_strength}
        )
        _write_table(table, path, columns)


def _write_table(table: pd.DataFrame, path: str, columns: str) -> None:
    table.to_csv(path, sep="\t", index=False)
    _write_json({name: COLUMNS[name] for name in table if name in COLUMNS}, columns)


def _write_json(facts: dict, path: str) -> None:
    Path(path).write_text(json.dumps(facts, indent=1) + "\n")
