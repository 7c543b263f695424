"""Who was scanned."""

import numpy as np
import pandas as pd

from counterwarp.cohorts.folds import folds_of, split_column
from counterwarp.figures.style import COLOURS, figure


def cohort_figure(scans: pd.DataFrame):
    """Ages of the subjects at baseline by group and sex, and the subjects of each split, or the test subjects of each
    fold.

    Args:
        scans: scan, subject, group, age, sex, split, baseline, and the split of each fold.
    """
    subjects = scans[scans["baseline"]]
    drawn = figure(9, 3)
    ages, splits = drawn.subplots(1, 2, width_ratios=[1.4, 1])
    edges = np.arange(np.floor(subjects["age"].min() / 5) * 5, subjects["age"].max() + 5, 5)
    centres = edges[:-1] + 2.5 if len(edges) > 1 else edges
    edges = edges if len(edges) > 1 else np.array([edges[0], edges[0] + 5])
    for side, group in ((-1, "control"), (1, "patient")):
        low = np.zeros(len(edges) - 1)
        for sex, hatch in (("F", None), ("M", "///")):
            part = subjects[(subjects["group"] == group) & (subjects["sex"] == sex)]
            count = np.histogram(part["age"], edges)[0]
            ages.bar(
                centres + side * 1.1,
                count,
                2.0,
                low,
                color=COLOURS[group],
                hatch=hatch,
                edgecolor="white",
                label=f"{group}s, {sex}",
            )
            low = low + count
    ages.set(xlabel="Age at baseline (years)", ylabel="Subjects", title="Age and sex")
    ages.legend(fontsize=8)
    parts = _parts(subjects)
    for side, group in ((-1, "control"), (1, "patient")):
        counts = [int(((subjects["group"] == group) & chosen).sum()) for chosen in parts.values()]
        bars = splits.bar(np.arange(len(parts)) + side * 0.2, counts, 0.38, color=COLOURS[group], label=f"{group}s")
        splits.bar_label(bars, fontsize=8)
    title = "Test subjects of each fold" if folds_of(subjects) else "Split, by subject"
    splits.set(xticks=range(len(parts)), xticklabels=list(parts), ylabel="Subjects", title=title)
    splits.legend(fontsize=8)
    return drawn


def _parts(scans: pd.DataFrame) -> dict[str, pd.Series]:
    """Which scans are in each split; with folds, which are test in each."""
    folds = folds_of(scans)
    if folds:
        return {f"fold {fold}": scans[split_column(fold)] == "test" for fold in folds}
    return {split: scans["split"] == split for split in ("train", "validation", "test")}


def cohort_table(scans: pd.DataFrame) -> pd.DataFrame:
    """One row a group and split, or fold in which they are test: subjects, scans, women, age at baseline (mean ± sd,
    range), subjects scanned again."""
    rows = []
    for group in ("control", "patient"):
        for split, chosen in {**_parts(scans), "all": pd.Series(True, scans.index)}.items():
            part = scans[(scans["group"] == group) & chosen]
            subjects = part[part["baseline"]]
            rows.append(
                {
                    "group": group,
                    "split": split,
                    "subjects": len(subjects),
                    "scans": len(part),
                    "women": int((subjects["sex"] == "F").sum()),
                    "age": f"{subjects['age'].mean():.1f} ± {subjects['age'].std():.1f}" if len(subjects) else "",
                    "age range": f"{subjects['age'].min():.0f} to {subjects['age'].max():.0f}" if len(subjects) else "",
                    "scanned again": int((part.groupby("subject").size() > 1).sum()),
                }
            )
    return pd.DataFrame(rows)
