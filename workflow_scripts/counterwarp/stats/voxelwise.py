"""Voxelwise inference: where in the brain is a change of volume more than chance, over all voxels at once?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from counterwarp.errors import CounterwarpError
from counterwarp.stats.formula import design
from counterwarp.stats.ncc import ncc

SIGNIFICANT = 0.05  # family-wise
# A true change of less than this, as log-Jacobian, is none: what interpolation leaves around an affected structure.
TRUE_CHANGE = 0.02
# About the larger of the two templates' brains, MNI152's.
BRAIN_MM3 = 2_000_000
# Of the maps and nilearn's copies of them, for each subject and voxel, in each process.
BYTES = 40


@dataclass(frozen=True)
class Inference:
    """One value a voxel: the effect in the maps' unit, its t, and p corrected for the family of all voxels."""

    effect: np.ndarray
    t: np.ndarray
    p: np.ndarray

    @property
    def significant(self) -> np.ndarray:
        """Voxels where the corrected p is below SIGNIFICANT."""
        return self.p < SIGNIFICANT


def infer(
    maps: np.ndarray, scans: pd.DataFrame, formula: str, tested: str, permutations: int, seed: int, jobs: int
) -> Inference:
    """Permutation test of one coefficient of map ~ formula, or of the same without the group.

    Freedman and Lane's scheme on the largest |t| over the voxels (nilearn's permuted_ols), two-sided.

    Args:
        maps: (subjects, voxels).
        scans: one row a subject, with `group` and the columns of the formula.
        formula: of `counterwarp.stats.formula`; columns are centred, so that the mean is that of a subject of mean age.
        tested: "group", patients minus controls, by permuting; or "mean", by turning signs round.
        permutations: of the test; p is at least 1 / (permutations + 1).
        seed: of the permutations.
        jobs: processes.

    Raises:
        CounterwarpError: as `counterwarp.stats.formula.design`; or tested is neither.
    """
    from nilearn.mass_univariate import permuted_ols

    if tested not in ("group", "mean"):
        raise CounterwarpError(f"tested is {tested!r}; give group or mean")
    columns = design(scans, formula)
    nuisance = columns.drop(columns=["constant", "group"])
    variable = columns["group"] if tested == "group" else columns["constant"]
    model = pd.concat([variable, nuisance], axis=1)
    if tested == "group":
        model = pd.concat([model, columns["constant"]], axis=1)
    effect = np.linalg.lstsq(model.to_numpy(), maps, rcond=None)[0][0]
    # Where all maps are the same there is nothing to test.
    varies = np.ptp(maps, axis=0) > 0
    t, p = np.zeros(maps.shape[1]), np.ones(maps.shape[1])
    if varies.any():
        test = permuted_ols(
            variable.to_numpy()[:, None],
            maps[:, varies],
            nuisance.to_numpy() if len(nuisance.columns) else None,
            n_perm=permutations,
            random_state=seed,
            n_jobs=jobs,
        )
        t[varies], p[varies] = test["t"][0], 10.0 ** -test["logp_max_t"][0]
    return Inference(effect, t, p)


def memory_mb(subjects: int, voxel_mm: float, jobs: int) -> int:
    """What `infer` holds at most of the maps of a template's brain, in MB; as measured, docs/hpc.md.

    Args:
        subjects: whose maps are tested.
        voxel_mm: voxel edge of the template.
        jobs: processes.
    """
    return round(subjects * BRAIN_MM3 / voxel_mm**3 * BYTES * jobs / 1e6)


def compare(inference: Inference, reference: Inference | None, truth: np.ndarray | None) -> dict[str, float]:
    """How much is found, how true it is, and how well it agrees with another analysis of the same voxels.

    Args:
        inference: what is judged.
        reference: what it is compared with, or None.
        truth: (voxels,), true log-Jacobian, or None.

    Returns:
        significant_percent of the voxels; with a truth ncc of the effect, sensitivity (share of the truly changed
        voxels that are significant with the right sign) and false_percent (share of the significant voxels that are
        not truly changed or have the wrong sign; nan where none is significant); with a reference ncc_reference of the
        effects and dice_reference of the significant voxels of equal sign (nan where neither finds any).
    """
    found = np.sign(inference.effect) * inference.significant
    numbers = {"significant_percent": 100 * float((found != 0).mean())}
    if truth is not None:
        changed = np.sign(truth) * (np.abs(truth) > TRUE_CHANGE)
        right = (found == changed) & (found != 0)
        numbers["ncc"] = ncc(inference.effect, truth)
        numbers["sensitivity"] = _share(right.sum(), (changed != 0).sum())
        numbers["false_percent"] = 100 * _share((found != 0).sum() - right.sum(), (found != 0).sum())
    if reference is not None:
        other = np.sign(reference.effect) * reference.significant
        numbers["ncc_reference"] = ncc(inference.effect, reference.effect)
        both = ((found == other) & (found != 0)).sum()
        numbers["dice_reference"] = _share(2 * both, (found != 0).sum() + (other != 0).sum())
    return numbers


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")
