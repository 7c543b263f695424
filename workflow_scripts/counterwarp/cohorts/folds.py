"""Cross-fitting: every subject is explained by networks that never saw it (folds of a cohort)."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

PREFIX = "split_fold"


def split_column(fold: int | None) -> str:
    """Name of the column that says in which part a subject is: of a fold, or of the only split (None)."""
    return "split" if fold is None else f"{PREFIX}{fold}"


def folds_of(columns: Iterable[str]) -> list[int]:
    """The folds that a table of scans has, 1 to k; none where there is one split."""
    return sorted(int(name.removeprefix(PREFIX)) for name in columns if name.startswith(PREFIX))


def draw_folds(scans: pd.DataFrame, folds: int, validation_share: float, seed: int) -> dict[str, list[str]]:
    """In each fold other subjects are test: everybody in one, and as many of each group in each as can be.

    Args:
        scans: subject, group and baseline; one row a scan.
        folds: k.
        validation_share: of the subjects of each group, drawn anew in each fold from those who are not test.
        seed: of the draw.

    Returns:
        `split_column` of each fold -> test, validation or train of each scan.
    """
    rng = np.random.default_rng(seed)
    again = set(scans["subject"][~scans["baseline"]])
    subjects = scans[scans["baseline"]].groupby("group")["subject"]
    groups = [rng.permutation(members.to_numpy()) for _, members in subjects]
    tested, dealt = {}, 0
    for members in groups:
        # Subjects who were scanned again first: each fold has its share of them.
        for subject in sorted(members, key=lambda subject: subject not in again):
            tested[subject] = dealt % folds + 1
            dealt += 1
    splits = {}
    for fold in range(1, folds + 1):
        held_out = set()
        for members in groups:
            rest = [subject for subject in members if tested[subject] != fold]
            held_out |= set(rng.permutation(rest)[: max(1, round(validation_share * len(members)))])
        splits[split_column(fold)] = [
            "test" if tested[subject] == fold else "validation" if subject in held_out else "train"
            for subject in scans["subject"]
        ]
    return splits
