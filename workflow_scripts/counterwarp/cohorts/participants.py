"""Who is in the demo cohort."""

import numpy as np
import pandas as pd

MEAN_AGE, AGE_SD, YEARS_BETWEEN_SESSIONS = 72.0, 6.0, 2.0
LEAST_SEVERITY = 0.3


def draw_participants(demo: dict, seed: int) -> pd.DataFrame:
    """Draw the subjects and scans of the demo.

    Patients are matched to controls: each has the anatomy, age and sex of one. Anatomies come in opposite pairs
    within each group. So the groups differ by the disease and not by the chance of a small sample.

    Args:
        demo: the section cohort.demo of the configuration.
        seed: of the cohort.

    Returns:
        One row a scan: subject, session, group, age (years), sex, field_strength (tesla), severity (0 in controls),
        anatomy (its number; k and -k are opposite).
    """
    rng = np.random.default_rng(seed)
    people = [
        (round(float(rng.normal(MEAN_AGE, AGE_SD)), 1), "FM"[int(rng.integers(2))])
        for _ in range(max(demo["controls"], demo["patients"]))
    ]
    rows, subjects = [], 0
    for group, n in (("control", demo["controls"]), ("patient", demo["patients"])):
        for i, (age, sex) in enumerate(people[:n]):
            subjects += 1
            severity = progression = 0.0
            if group == "patient":
                severity = max(LEAST_SEVERITY, rng.normal(1.0, demo["severity_sd"])) * demo["severity"]
                progression = demo["progression"]
            for session in range(2 if i < demo["two_sessions"] else 1):
                rows.append(
                    {
                        "subject": f"{subjects:03d}",
                        "session": f"{session + 1:02d}",
                        "group": group,
                        "age": round(age + session * YEARS_BETWEEN_SESSIONS, 1),
                        "sex": sex,
                        "field_strength": 3.0,
                        "anatomy": (1 + i // 2) * (1 if i % 2 == 0 else -1),
                        "severity": round(severity + session * progression, 3),
                    }
                )
    return pd.DataFrame(rows)
