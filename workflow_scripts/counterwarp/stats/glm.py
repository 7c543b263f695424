"""The regional model: volume explained by group and covariates, region by region."""

import logging
from collections.abc import Collection

import numpy as np
import pandas as pd

from counterwarp.errors import CounterwarpError

LOG = logging.getLogger("counterwarp")


def design(scans: pd.DataFrame, covariates: list[str]) -> pd.DataFrame:
    """The columns of the model: constant, group (0 control, 1 patient), covariates centred on their mean.

    Args:
        scans: one row a scan with `group` and every covariate; numbers are taken as they are, text becomes one
            column for each value but the first.
        covariates: names of columns.

    Raises:
        CounterwarpError: where a covariate is missing, or cannot be told from the group or from another covariate.
    """
    unknown = [name for name in covariates if name not in scans]
    if unknown:
        raise CounterwarpError(
            f"roi.covariates: {', '.join(unknown)} is no column of the table of scans, which has {', '.join(scans)}"
        )
    empty = [name for name in covariates if scans[name].isna().any()]
    if empty:
        raise CounterwarpError(f"roi.covariates: {', '.join(empty)} has no value for some scans; fill or drop it")
    columns = pd.DataFrame({"constant": 1.0, "group": (scans["group"] == "patient").astype(float)}, index=scans.index)
    if covariates:
        values = pd.get_dummies(scans[list(covariates)], drop_first=True, dtype=float)
        constant = [name for name in values if values[name].nunique() < 2]
        if constant:
            LOG.warning("left out of the regional model, the same in every scan: %s", ", ".join(constant))
        values = values.drop(columns=constant)
        columns = columns.join(values - values.mean())
    rank = np.linalg.matrix_rank(columns.to_numpy())
    if rank < columns.shape[1] or len(columns) <= rank:
        raise CounterwarpError(
            f"the regional model has {columns.shape[1]} columns ({', '.join(columns)}) of rank {rank} and "
            f"{len(columns)} scans; give it both groups, more scans than columns, and no covariate that repeats another"
        )
    return columns


def fit_regions(
    volumes: pd.DataFrame, scans: pd.DataFrame, covariates: list[str], merged: Collection[str] = ()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ordinary least squares, volume ~ 1 + group + covariates, for each region.

    Args:
        volumes: scan, region, tissue, volume_ml.
        scans: scan, group and the covariates; one row a subject. Scans without volumes are left out.
        covariates: names of columns of `scans`.
        merged: regions made of others. They are a family of their own, so that nothing is tested twice in a family.

    Returns:
        regions: region, tissue, n, difference_ml (patients minus controls at equal covariates), t and two-tailed p of
            that difference, q (false discovery rate over the family of regions, Benjamini and Hochberg), effect (the
            difference over the residual standard deviation: Cohen's d, adjusted) and its 95 % interval low, high.
        adjusted: scan, region, tissue, group, volume_ml with the covariates' part taken out (at their mean).

    Raises:
        CounterwarpError: as `design`, and where a region has no volume for some scan.
    """
    import statsmodels.api as sm
    from statsmodels.stats.multitest import multipletests

    table = volumes.pivot(index="scan", columns="region", values="volume_ml")
    missing = [name for name in table if table[name].isna().any()]
    if missing:
        raise CounterwarpError(f"no volume of {', '.join(missing)} for some scans; segment them again")
    known = scans.set_index("scan").loc[lambda rows: rows.index.isin(table.index)]
    columns = design(known, covariates)
    tissues = volumes.drop_duplicates("region").set_index("region")["tissue"]
    rows, adjusted = [], []
    for region in tissues.index:
        volume = table.loc[columns.index, region]
        fit = sm.OLS(volume, columns).fit()
        spread = np.sqrt(fit.mse_resid)
        low, high = fit.conf_int().loc["group"] / spread
        rows.append(
            {
                "region": region,
                "tissue": tissues[region],
                "n": len(volume),
                "difference_ml": fit.params["group"],
                "t": fit.tvalues["group"],
                "p": fit.pvalues["group"],
                "effect": fit.params["group"] / spread,
                "low": low,
                "high": high,
            }
        )
        nuisance = columns.drop(columns=["constant", "group"])
        corrected = volume - nuisance @ fit.params[nuisance.columns]
        adjusted.append(
            pd.DataFrame(
                {
                    "scan": columns.index,
                    "region": region,
                    "tissue": tissues[region],
                    "group": known["group"],
                    "volume_ml": corrected,
                }
            )
        )
    regions = pd.DataFrame(rows)
    families = regions.groupby(regions["region"].isin(merged))
    regions.insert(6, "q", families["p"].transform(lambda p: multipletests(p, method="fdr_bh")[1]))
    return regions, pd.concat(adjusted, ignore_index=True)
