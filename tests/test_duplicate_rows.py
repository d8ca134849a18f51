from __future__ import annotations

import numpy as np
import pytest

from harness.duplicate_rows import first_equal

ROWS = np.random.default_rng(0).standard_normal((50, 24), dtype=np.float32)


def test_different_vectors_stay_apart():
    np.testing.assert_array_equal(first_equal(ROWS), np.arange(50))


@pytest.mark.parametrize(
    "copy",
    [
        lambda rows: rows,
        lambda rows: rows.astype(np.float16),
        lambda rows: rows * np.float32(1 + 1e-6),
        lambda rows: rows + np.random.default_rng(1).normal(0, 1e-6, rows.shape),
    ],
    ids=["exact", "float16", "scaled by rounding", "another batch"],
)
def test_a_copy_goes_where_its_original_is(copy):
    together = np.concatenate([ROWS, copy(ROWS)[::-1]])
    np.testing.assert_array_equal(first_equal(together), [*range(50), *reversed(range(50))])


def test_the_sign_of_zero_makes_no_other_vector():
    np.testing.assert_array_equal(first_equal(np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0]])), [0, 0, 2])


def test_vectors_in_a_chain_are_one():
    steps = np.linspace(0, 2e-3, 5)[:, None] * np.array([[0.0, 1.0]]) + np.array([[1.0, 0.0]])
    np.testing.assert_array_equal(first_equal(np.concatenate([steps, [[1.0, 1.0]]])), [0, 0, 0, 0, 0, 5])


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (4, 1), (4, 3)])
def test_few_rows_and_one_column_are_enough(shape):
    rows = np.ones(shape)
    np.testing.assert_array_equal(first_equal(rows), np.zeros(shape[0]))
