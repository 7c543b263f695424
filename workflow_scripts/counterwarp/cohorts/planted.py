"""Who becomes a patient where a known disease is planted in people's own scans."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from counterwarp.cohorts.participants import LEAST_SEVERITY
from counterwarp.errors import ConfigError

PLACES = ("_L", "_R")


def draw_patients(scans: pd.DataFrame, severity_sd: float, seed: int) -> pd.DataFrame:
    """Make half of the subjects patients: of two neighbours in sex and age, one, by chance.

    Args:
        scans: one row a subject, with age (years, text or number) and sex; its groups are replaced.
        severity_sd: spread of severity between patients, whose mean is 1.
        seed: of the draw.

    Returns:
        The scans with group (control or patient) and severity (0 in controls).
    """
    rng = np.random.default_rng(seed)
    alike = scans.assign(age=pd.to_numeric(scans["age"], errors="coerce")).sort_values(["sex", "age"], kind="stable")
    patients = []
    for start in range(0, len(alike), 2):
        pair = alike.index[start : start + 2]
        # Of a subject who is left over, a coin decides.
        chosen = int(rng.integers(2))
        patients += [pair[chosen]] if chosen < len(pair) else []
    group = pd.Series("control", scans.index).where(~scans.index.isin(patients), "patient")
    severity = np.maximum(LEAST_SEVERITY, rng.normal(1.0, severity_sd, len(scans))).round(3)
    return scans.assign(group=group, severity=np.where(group == "patient", severity, 0.0))


def affected(names: Collection[str], log_changes: dict[str, float]) -> dict[str, float]:
    """Region of a parcellation -> the log-change of its volume, 0 for those that are spared.

    Args:
        names: of the regions.
        log_changes: by the name of a region, or by that of both sides without its _L and _R.
    """
    found = {name: log_changes.get(name, 0.0) for name in names}
    for name in names:
        if name.endswith(PLACES):
            found[name] = found[name] or log_changes.get(name[:-2], 0.0)
    return found


def check_plant(cohort: dict, names: Collection[str]) -> None:
    """Raise a ConfigError where no disease can be planted as the configuration says.

    Args:
        cohort: the section `cohort` of the configuration.
        names: of the template's regions; none where they are not known yet.
    """
    log_changes = cohort["plant"]["regions"]
    if log_changes and cohort["source"] not in ("bids", "table"):
        source = cohort["source"]
        raise ConfigError(
            [f"cohort.plant: a disease is planted in people's scans (source bids or table), not {source}"]
        )
    if log_changes and names:
        check_regions(names, log_changes)


def check_regions(names: Collection[str], log_changes: dict[str, float]) -> None:
    """Raise a ConfigError that names each region of cohort.plant.regions which the template does not have."""
    known = {*names, *(name[:-2] for name in names if name.endswith(PLACES))}
    unknown = [name for name in log_changes if name not in known]
    if unknown:
        has = ", ".join(sorted({name[:-2] if name.endswith(PLACES) else name for name in names}))
        raise ConfigError([f"cohort.plant.regions: no region {name!r}; the template has {has}" for name in unknown])
