"""The formula of the regional model: what it reads, and what it may not do."""

import numpy as np
import pandas as pd
import pytest
from counterwarp.errors import ConfigError, CounterwarpError
from counterwarp.stats.formula import categories_of, columns_of, design, without

SCANS = pd.DataFrame(
    {
        "group": ["control", "patient"] * 6,
        "age": np.linspace(60, 80, 12) ** 1.5,
        "sex": list("FFM") * 4,
        "site": list("aabbcc") * 2,
    }
)


def test_columns_and_terms_of_a_formula():
    assert columns_of("group + age + sex") == ["age", "sex"]
    assert columns_of("group + log(icv_ml) + age * C(site) + bs(age, df=3)") == ["icv_ml", "age", "site"]
    assert categories_of("group + log(icv_ml) + age * C(site) + I(C(scanner))") == {"site", "scanner"}
    assert without("group + age + log(icv_ml) + icv_ml:age", "icv_ml") == "group + age"
    assert columns_of(without("group + icv_ml", "icv_ml")) == []


def test_the_design_holds_constant_group_and_centred_columns_in_the_order_of_the_formula():
    columns = design(SCANS, "age + group + sex")
    assert list(columns) == ["constant", "group", "age", "sex[T.M]"]
    assert columns["group"].tolist() == [0.0, 1.0] * 6
    np.testing.assert_array_equal(columns["age"], SCANS["age"] - SCANS["age"].mean())
    np.testing.assert_allclose(columns["sex[T.M]"], (SCANS["sex"] == "M") - 1 / 3)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("age + sex", "has no group; the difference"),
        ("group * age", "has group, group:age; the difference"),
        ("0 + group + age", "has no constant; leave out 0 and -1"),
        ("volume ~ group", "give the right-hand side only"),
        ("group + (age", "is no formula"),
        ("group + __import__('os').system('true')", "is not allowed; use columns, numbers and C, I, bs"),
        ("group + age.real", "'age.real' is not allowed"),
        ("group + eval(age)", r"'eval\(age\)' is not allowed"),
        ("group + I([x for x in age])", "is not allowed"),
    ],
)
def test_a_formula_that_cannot_be_used_is_refused_with_a_reason(formula, message):
    with pytest.raises(ConfigError, match=message):
        columns_of(formula)


def test_a_function_that_its_column_does_not_suit_is_named():
    with pytest.raises(CounterwarpError, match=r"roi.formula: 'group \+ log\(sex\)'"):
        design(SCANS, "group + log(sex)")
