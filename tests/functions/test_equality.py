"""What counts as the same output, of all that functions in public comparisons return."""

from __future__ import annotations

import decimal
import fractions
import math

import numpy as np
import pytest
from scipy import sparse

from harness.functions.equality import same

pandas = pytest.importorskip("pandas")

ALIKE = [
    ((np.arange(3), np.ones(2)), (np.arange(3), np.ones(2))),  # numpy.nonzero
    ([np.arange(3)], [np.arange(3)]),
    (10**400, 10**400),  # math.factorial
    (np.int64(5), 5),
    (decimal.Decimal("1.1"), decimal.Decimal("1.1")),
    (fractions.Fraction(1, 3), 1 / 3),
    ([0.1 + 0.2, 1.0], [0.3, 1.0]),
    ([1.0, 2.0], np.array([1, 2])),
    (pandas.Series([0.1 + 0.2]), pandas.Series([0.3])),
    (
        pandas.DataFrame({"a": [0.1 + 0.2, None], "b": ["x", None]}),
        pandas.DataFrame({"a": [0.3, None], "b": ["x", None]}),
    ),
    (sparse.eye(3).tocsr(), np.eye(3)),
    (float("nan"), float("nan")),
    ({1: np.arange(3)}, {1: np.arange(3)}),
    (True, np.bool_(True)),
    ([1, 2], (1, 2)),
    (np.array(["NaT"], "M8[s]"), np.array(["NaT"], "M8[s]")),
    (math.inf, math.inf),
    (np.array([1 + 2j]), np.array([1 + 2.0000001j])),
    ([1 + 2j], [1 + 2j]),
]
DIFFERENT = [
    (100_000, 100_001),
    (np.array([100_000]), np.array([100_001])),  # places in an array: off by one is another place
    ([np.arange(3)], [np.arange(1, 4)]),
    (pandas.Series([1.0], index=[1]), pandas.Series([1.0], index=[2])),
    (pandas.DataFrame({"a": [1.0]}), pandas.DataFrame({"b": [1.0]})),
    (sparse.eye(3).tocsr(), 2 * sparse.eye(3).tocsc()),
    (None, [1]),
    (math.inf, 1.0),
    ([1.0, 2.0], [1.0, 2.1]),
    (np.array([1 + 2j]), np.array([1 + 3j])),  # neither half is left out
    (np.array([1 + 2j]), np.array([1.0])),
    (1 + 2j, 1.0),
]


@pytest.mark.parametrize(("one", "other"), ALIKE, ids=lambda each: type(each).__name__)
def test_the_same_result_in_two_forms_is_the_same(one, other):
    assert same(one, other) is True
    assert same(other, one) is True


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=lambda each: type(each).__name__)
def test_what_differs_is_not(one, other):
    assert same(one, other) is False
    assert same(other, one) is False
