"""Which scans of a subject make a pair, whose difference shows a change (Bigolin Lanfredi et al. 2020, section 3.3)."""

import logging
from operator import attrgetter

import pandas as pd

from counterwarp.errors import ConfigError

LOG = logging.getLogger("counterwarp")
ANY_FIELD = "any"


def pair_scans(
    scans: pd.DataFrame,
    earlier: str = "control",
    later: str = "patient",
    order: str = "age",
    needed: bool = False,
) -> pd.DataFrame:
    """The pairs of scans between which a subject's disease has begun, or gone on.

    A pair is a subject's first scan of the earlier group and each later scan of the later group at the same field
    strength. With one group for both, a pair is its first scan and each later one: progression within the disease.

    Args:
        scans: scan, subject, group, split, a column that orders them and, where it matters, field_strength.
        earlier, later: groups.
        order: the column that tells which of a subject's scans is earlier: age in years, or a date.
        needed: whether a cohort without any pair is an error.

    Returns:
        subject, split, field_strength, earlier, later (names of scans), in the order of the table; empty for a cohort
        that was scanned once, unless pairs are needed.

    Raises:
        ConfigError: no column of that order; or no pair where one is needed, pairs at different field strengths only, a
            pair in reverse order or of one time, a subject in two splits: every problem found.
    """
    if order not in scans:
        raise ConfigError(
            [
                f"longitudinal: no column {order!r} in the table of scans says which of two is earlier (it has "
                f"{', '.join(scans.columns)}); add it, or set longitudinal: null"
            ]
        )
    if "field_strength" not in scans:
        scans = scans.assign(field_strength=ANY_FIELD)
    splits = scans.groupby("subject")["split"].unique()
    problems = [
        f"sub-{subject}: in {' and '.join(sorted(names))}; keep a subject in one split"
        for subject, names in splits.items()
        if len(names) > 1
    ]
    rows, at_other_field = [], 0
    visits_of = {}
    for visit in scans.itertuples():
        visits_of.setdefault(visit.subject, []).append(visit)
    for visits in visits_of.values():
        before = len(rows)
        for field in dict.fromkeys(visit.field_strength for visit in visits):
            alike = [visit for visit in visits if visit.field_strength == field]
            first = min((visit for visit in alike if visit.group == earlier), key=attrgetter(order), default=None)
            for visit in alike:
                if first is None or visit.group != later or visit is first:
                    continue
                if getattr(visit, order) <= getattr(first, order):
                    problems.append(_out_of_order(first, visit, order))
                rows.append((first.subject, first.split, field, first.scan, visit.scan))
        at_other_field += len(rows) == before and _has_both(visits, earlier, later)
    if at_other_field:
        LOG.warning("left out, for want of a pair at one field strength: %d subjects", at_other_field)
    if not rows and (at_other_field or needed):
        reason = f" and field strength (subjects with both at different ones: {at_other_field})"
        problems.append(
            f"no {earlier} scan is followed by a {later} scan of the same subject{reason if at_other_field else ''}: "
            "add scans, or set longitudinal: null"
        )
    if problems:
        raise ConfigError(problems)
    return pd.DataFrame(rows, columns=["subject", "split", "field_strength", "earlier", "later"])


def _has_both(visits: list, earlier: str, later: str) -> bool:
    groups = [visit.group for visit in visits]
    return groups.count(earlier) > (earlier == later) and later in groups


def _out_of_order(first, visit, order: str) -> str:
    return (
        f"{visit.scan}: {order} {getattr(visit, order)} as {visit.group}, but {first.scan} has {order} "
        f"{getattr(first, order)} as {first.group} and should be earlier; correct {order} or group, or leave the scan "
        "out"
    )
