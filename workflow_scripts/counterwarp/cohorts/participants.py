"""Who is in the demo cohort."""

import numpy as np
import pandas as pd

MEAN_AGE, AGE_SD, YEARS_BETWEEN_SESSIONS = 72.0, 6.0, 2.0
LEAST_SEVERITY = 0.3


def draw_participants(demo: dict, seed: int) -> pd.DataFrame:
    """Draw the subjects and scans of the demo.

    Anatomies come in opposite pairs within each group, so that the groups differ by the disease and, to first
    order, not by the chance of a small sample.

    Args:
        demo: the section cohort.demo of the configuration.
        seed: of the cohort.

    Returns:
        One row a scan: subject, session, group, age (years), sex, field_strength (tesla), severity (0 in controls),
        anatomy (its number; k and -k are opposite).
    """
    rng = np.random.default_rng(seed)
    rows, pairs = [], 0
    for group, n in (("control", demo["controls"]), ("patient", demo["patients"])):
        for i in range(n):
            pairs += i % 2 == 0
            subject = f"{len({row['subject'] for row in rows}) + 1:03d}"
            age = round(float(rng.normal(MEAN_AGE, AGE_SD)), 1)
            sex = "FM"[int(rng.integers(2))]
            severity = max(LEAST_SEVERITY, rng.normal(1.0, demo["severity_sd"])) * demo["severity"]
            for session in range(2 if i < demo["two_sessions"] else 1):
                rows.append(
                    {
                        "subject": subject,
                        "session": f"{session + 1:02d}",
                        "group": group,
                        "age": round(age + session * YEARS_BETWEEN_SESSIONS, 1),
                        "sex": sex,
                        "field_strength": 3.0,
                        "anatomy": pairs if i % 2 == 0 else -pairs,
                        "severity": round(severity + session * demo["progression"], 3) if group == "patient" else 0.0,
                    }
                )
    return pd.DataFrame(rows)
