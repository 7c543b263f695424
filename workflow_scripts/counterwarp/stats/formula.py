"""The formula of a model, in patsy's language, of which only what reads columns is allowed."""

import ast
import logging

import numpy as np
import pandas as pd

from counterwarp.errors import ConfigError, CounterwarpError

LOG = logging.getLogger("counterwarp")
# A formula is Python to patsy: nothing but these can be called.
FUNCTIONS = {"C", "I", "bs", "center", "cr", "log", "standardize"}
# Not of the table of scans: the intracranial volume that a scan's registration gives, ml. Maps are normalised for it.
HEAD_SIZE = "icv_ml"
PARTS = (
    *(ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Constant),
    *(ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop),
)


def columns_of(formula: str) -> list[str]:
    """The columns that a formula reads beside the group, in its order.

    Args:
        formula: the right-hand side, as `group + age + C(site)`.

    Raises:
        ConfigError: no formula of patsy, without group, with an interaction of group or without a constant, or one
            that does more than FUNCTIONS of columns.
    """
    names = []
    for term in _terms(formula):
        for factor in term.factors:
            names += [name for name in _names(factor.code) if name != "group" and name not in names]
    return names


def categories_of(formula: str) -> set[str]:
    """The columns that a formula reads as names, by C()."""
    calls = [
        node
        for term in _terms(formula)
        for factor in term.factors
        for node in ast.walk(ast.parse(factor.code, mode="eval"))
        if isinstance(node, ast.Call) and node.func.id == "C"
    ]
    return {name for call in calls for name in _names(ast.unparse(call))}


def without(formula: str, column: str) -> str:
    """The formula without the terms that read a column."""
    from patsy import ModelDesc

    kept = [term for term in _terms(formula) if all(column not in _names(factor.code) for factor in term.factors)]
    return ModelDesc([], kept).describe().removeprefix("~ ")


def design(scans: pd.DataFrame, formula: str) -> pd.DataFrame:
    """The columns of the model: constant, group (0 control, 1 patient), the others centred on their mean.

    Args:
        scans: one row a scan with `group` and every column of the formula; text is one column for each value but the
            first, numbers are taken as they are.
        formula: see `columns_of`.

    Raises:
        CounterwarpError: where a column is missing or has no value for some scans, or where the columns of the model
            cannot be told apart.
    """
    from patsy import EvalEnvironment, ModelDesc, PatsyError, dmatrix

    wanted, terms = columns_of(formula), _terms(formula)
    unknown = [name for name in wanted if name not in scans]
    if unknown:
        raise CounterwarpError(
            f"roi.formula: {', '.join(unknown)} is no column of the table of scans, which has {', '.join(scans)}"
        )
    empty = [name for name in wanted if scans[name].isna().any()]
    if empty:
        raise CounterwarpError(f"roi.formula: {', '.join(empty)} has no value for some scans; fill or drop it")
    data = scans[wanted].assign(group=(scans["group"] == "patient").astype(float))
    try:
        matrix = dmatrix(ModelDesc([], terms), data, EvalEnvironment([{"log": np.log}]), return_type="dataframe")
    except (PatsyError, ValueError, TypeError) as error:
        raise CounterwarpError(f"roi.formula: {formula!r}: {error}") from error
    info = matrix.design_info
    others = [matrix.iloc[:, info.term_slices[term]] for term in terms if term.name() not in ("Intercept", "group")]
    columns = pd.DataFrame({"constant": 1.0, "group": data["group"]}, index=scans.index)
    for values in others:
        constant = [name for name in values if values[name].nunique() < 2]
        values = values.drop(columns=constant)
        columns = columns.join(values - values.mean())
    one_value = [name for name in wanted if scans[name].nunique() < 2]
    if one_value:
        LOG.warning("left out of the regional model, the same in every scan: %s", ", ".join(one_value))
    rank = np.linalg.matrix_rank(columns.to_numpy())
    if rank < columns.shape[1] or len(columns) <= rank:
        raise CounterwarpError(
            f"the regional model has {columns.shape[1]} columns ({', '.join(columns)}) of rank {rank} and "
            f"{len(columns)} scans; give it both groups, more scans than columns, and no covariate that repeats another"
        )
    return columns


def _terms(formula: str) -> list:
    """patsy's terms, checked."""
    from patsy import ModelDesc, PatsyError

    if "~" in formula:
        raise ConfigError([f"roi.formula: {formula!r}: give the right-hand side only, as 'group + age + sex'"])
    try:
        terms = ModelDesc.from_formula(formula).rhs_termlist
    except (PatsyError, SyntaxError) as error:
        raise ConfigError([f"roi.formula: {formula!r} is no formula: {str(error).splitlines()[0]}"]) from error
    for term in terms:
        for factor in term.factors:
            _names(factor.code)
    names = [term.name() for term in terms]
    of_group = [term.name() for term in terms if any("group" in _names(factor.code) for factor in term.factors)]
    if of_group != ["group"]:
        found = f"has {', '.join(of_group)}" if of_group else "has no group"
        raise ConfigError(
            [f"roi.formula: {formula!r} {found}; the difference of the groups at equal covariates needs group, alone"]
        )
    if "Intercept" not in names:
        raise ConfigError([f"roi.formula: {formula!r} has no constant; leave out 0 and -1"])
    return terms


def _names(code: str) -> list[str]:
    """The columns that a factor reads.

    Raises:
        ConfigError: it does more than that.
    """
    tree = ast.parse(code, mode="eval")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = []
    for node in ast.walk(tree):
        allowed = isinstance(node, PARTS)
        if isinstance(node, ast.Name) and id(node) in called:
            allowed = node.id in FUNCTIONS
        elif isinstance(node, ast.Name):
            names.append(node.id)
        if not allowed:
            raise ConfigError(
                [f"roi.formula: {code!r} is not allowed; use columns, numbers and {', '.join(sorted(FUNCTIONS))}"]
            )
    return names
