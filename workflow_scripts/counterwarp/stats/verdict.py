"""Whether a classifier tells the groups apart at all: where it does not, its maps explain nothing."""

import pandas as pd

from counterwarp.stats import ALL
from counterwarp.stats.intervals import area_under_curve

CHANCE = 0.5


def verdict(logits: pd.DataFrame) -> pd.DataFrame:
    """The area under the curve on test subjects, of each seed and of the mean log-odds over seeds.

    Args:
        logits: seed, subject, group, split, log_odds; one row a subject, group and seed.

    Returns:
        seed (ALL for the mean), auc, low, high (95 % interval), n, tells_apart (whether the interval lies above
        one half).
    """
    tested = logits[logits["split"] == "test"]
    parts = dict(list(tested.groupby("seed", sort=False)))
    # Seeds of a benchmark draw other images; then there are no subjects to take a mean over.
    if len(parts) > 1 and tested.groupby(["subject", "group"])["seed"].nunique().eq(len(parts)).all():
        parts[ALL] = tested.groupby(["subject", "group"], as_index=False)["log_odds"].mean()
    rows = []
    for seed, part in parts.items():
        area = area_under_curve(part["log_odds"].to_numpy(), (part["group"] == "patient").to_numpy())
        rows.append((seed, area.value, area.low, area.high, len(part), bool(area.low > CHANCE)))
    return pd.DataFrame(rows, columns=["seed", "auc", "low", "high", "n", "tells_apart"])


def read_warning(path: str) -> str:
    """`warning` of a table that was written; of no path, empty: what is shown is of no classifier."""
    return warning(pd.read_csv(path, sep="\t")) if path else ""


def warning(found: pd.DataFrame) -> str:
    """What a reader must know before any map, in one sentence; empty where the classifier tells the groups apart.

    Args:
        found: of `verdict`; the mean over seeds counts, else the only seed.
    """
    if not len(found):
        return "No subject was left to test the classifier on: nobody knows whether its maps explain a disease."
    last = found.iloc[-1]
    if last["tells_apart"]:
        return ""
    return (
        f"On the {last['n']} subjects that it never saw, the classifier cannot be told from guessing (AUC "
        f"{last['auc']:.2f}, 95 % interval {last['low']:.2f} to {last['high']:.2f}): its maps may explain no disease."
    )
