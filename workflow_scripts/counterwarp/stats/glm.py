"""The regional model: volume explained by group and covariates, region by region."""

import logging
from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy import special, stats

from counterwarp.errors import CounterwarpError
from counterwarp.stats.formula import design

LOG = logging.getLogger("counterwarp")
# Beyond it a model leaves nothing but rounding.
LARGEST_T = 1e5


def fit_regions(
    volumes: pd.DataFrame, scans: pd.DataFrame, formula: str, merged: Collection[str] = (), model: str = "ols"
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Volume of each region explained by a formula.

    Args:
        volumes: scan, region, tissue, volume_ml.
        scans: scan, subject (of a mixed model), group and the columns of the formula. Scans without volumes are left
            out.
        formula: of `counterwarp.stats.formula`.
        merged: regions made of others. They are a family of their own, so that nothing is tested twice in a family.
        model: ols, one scan a subject; or mixed, several, with a random intercept for each subject (REML; its t is
            taken as normal).

    Returns:
        regions: region, tissue, n, difference_ml (patients minus controls at equal covariates), t and two-tailed p of
            that difference, q (false discovery rate over the family of regions, Benjamini and Hochberg), effect (the
            difference over the standard deviation of what the model leaves: Cohen's d, adjusted) and its 95 % interval
            low, high (`effect_interval`; of a mixed model that of the difference, over the same deviation).
        adjusted: scan, region, tissue, group, volume_ml with the covariates' part taken out (at their mean).
        residuals: region, converged (of a mixed model; else always) and the columns of `check_residuals`.

    Raises:
        CounterwarpError: as `design`; where a region has no volume for some scan; or a mixed model without repeated
            scans.
    """
    from statsmodels.stats.multitest import multipletests

    table = volumes.pivot(index="scan", columns="region", values="volume_ml")
    missing = [name for name in table if table[name].isna().any()]
    if missing:
        raise CounterwarpError(f"no volume of {', '.join(missing)} for some scans; segment them again")
    known = scans.set_index("scan").loc[lambda rows: rows.index.isin(table.index)]
    columns = design(known, formula)
    nuisance = columns.drop(columns=["constant", "group"])
    tissues = volumes.drop_duplicates("region").set_index("region")["tissue"]
    rows, adjusted, residuals = [], [], []
    for region in tissues.index:
        volume = table.loc[columns.index, region]
        fit, spread = _fit(volume, columns, known, model)
        effect, unit = fit.params["group"] / spread, fit.bse["group"] / spread
        low, high = (
            effect_interval(fit.tvalues["group"], fit.df_resid, unit)
            if model == "ols"
            else fit.conf_int().loc["group"] / spread
        )
        rows.append(
            {
                "region": region,
                "tissue": tissues[region],
                "n": len(volume),
                "difference_ml": fit.params["group"],
                "t": fit.tvalues["group"],
                "p": fit.pvalues["group"],
                "effect": effect,
                "low": low,
                "high": high,
            }
        )
        facts = {"scan": columns.index, "region": region, "tissue": tissues[region], "group": known["group"]}
        adjusted.append(pd.DataFrame({**facts, "volume_ml": volume - nuisance @ fit.params[nuisance.columns]}))
        converged = {"region": region, "converged": getattr(fit, "converged", True)}
        residuals.append(converged | check_residuals(fit.resid, columns, model))
    regions = pd.DataFrame(rows)
    families = regions.groupby(regions["region"].isin(merged))
    regions.insert(6, "q", families["p"].transform(lambda p: multipletests(p, method="fdr_bh")[1]))
    return regions, pd.concat(adjusted, ignore_index=True), pd.DataFrame(residuals)


def _fit(volume: pd.Series, columns: pd.DataFrame, scans: pd.DataFrame, model: str):
    """A fit of statsmodels, and the standard deviation of what it leaves, between and within subjects."""
    import statsmodels.api as sm

    if model == "ols":
        fit = sm.OLS(volume, columns).fit()
        return fit, np.sqrt(fit.mse_resid)
    if not scans["subject"].duplicated().any():
        raise CounterwarpError("roi.model: mixed needs subjects with several scans; set it to ols")
    fit = sm.MixedLM(volume, columns, groups=scans["subject"]).fit(reml=True)
    if not fit.converged:
        LOG.warning("%s: the mixed model did not converge; judge its numbers with care", volume.name)
    return fit, np.sqrt(fit.scale + fit.cov_re.to_numpy()[0, 0])


def effect_interval(t: float, df: float, unit: float) -> np.ndarray:
    """95 % interval of a standardised difference, whose standard deviation is estimated too.

    t has a noncentral t distribution, whose noncentrality is the true effect over `unit`. The ends of the interval are
    those for which t is at 97.5 and at 2.5 % of the distribution (Steiger and Fouladi 1997).

    Args:
        t: of the difference.
        df: degrees of freedom of the standard deviation.
        unit: standard error of the difference where the deviation is 1: sqrt(1 / n1 + 1 / n2) without covariates.

    Returns:
        low, high; nan where nothing is left to tell the deviation by.
    """
    return special.nctdtrinc(df, [0.975, 0.025], t) * unit if abs(t) < LARGEST_T else np.full(2, np.nan)


def check_residuals(residuals: pd.Series, columns: pd.DataFrame, model: str = "ols") -> dict:
    """Whether what a model leaves looks as it assumes.

    Args:
        residuals: one a scan.
        columns: of the model.
        model: ols or mixed. What a mixed model leaves is not what least squares leaves, and its worst scan is not told.

    Returns:
        normal_p (Shapiro and Wilk), equal_variance_p (Breusch and Pagan, over the columns), and the scan that fits
            worst: outlier, its externally studentised residual, and outlier_p, corrected for the number of scans. With
            less than two degrees of freedom, or without residuals, they are nan.
    """
    from statsmodels.stats.diagnostic import het_breuschpagan

    n, rank = columns.shape
    nothing = {
        "normal_p": np.nan,
        "equal_variance_p": np.nan,
        "outlier": "",
        "studentised": np.nan,
        "outlier_p": np.nan,
    }
    left = float((residuals**2).sum())
    if n - rank < 2 or left < 1e-20:
        return nothing
    matrix = columns.to_numpy()
    found = nothing | {
        "normal_p": float(stats.shapiro(residuals).pvalue),
        "equal_variance_p": float(het_breuschpagan(residuals, matrix)[1]),
    }
    return found | _worst(residuals, matrix, left) if model == "ols" else found


def _worst(residuals: pd.Series, matrix: np.ndarray, left: float) -> dict:
    """The scan that fits worst, by the residuals of least squares and their sum of squares."""
    n, rank = matrix.shape
    leverage = np.einsum("ij,ji->i", matrix, np.linalg.pinv(matrix))
    free = residuals.to_numpy() ** 2 / np.maximum(1 - leverage, 1e-12)
    studentised = residuals / np.sqrt(
        np.maximum((left - free) / (n - rank - 1), 1e-300) * np.maximum(1 - leverage, 1e-12)
    )
    worst = studentised.abs().idxmax()
    return {
        "outlier": worst,
        "studentised": float(studentised[worst]),
        "outlier_p": min(1.0, float(2 * n * stats.t.sf(abs(studentised[worst]), n - rank - 1))),
    }
