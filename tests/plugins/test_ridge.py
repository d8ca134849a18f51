from __future__ import annotations

import numpy as np
import pytest

from harness_plugins import ridge


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    queries = generator.standard_normal((60, 8), dtype=np.float32) + 3
    truth = generator.standard_normal((8, 5), dtype=np.float32)
    return queries, queries @ truth + 2 + 0.1 * generator.standard_normal((60, 5), dtype=np.float32), truth


def test_a_linear_teacher_is_found(data):
    queries, targets, truth = data
    matrix, bias = ridge.fit(queries, targets)
    assert (matrix.dtype, bias.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(matrix, truth, atol=0.1)
    np.testing.assert_allclose(queries @ matrix + bias, targets, atol=0.5)


def test_it_solves_the_normal_equations(data):
    queries, targets, _ = data
    matrix, bias = ridge.fit(queries, targets, 0.3)
    centred = (queries - queries.mean(axis=0)).astype(np.float64)
    gram = centred.T @ centred
    penalty = 0.3 * np.trace(gram) / 8
    wanted = np.linalg.solve(gram + penalty * np.eye(8), centred.T @ (targets - targets.mean(axis=0)))
    np.testing.assert_allclose(matrix, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bias, targets.mean(axis=0) - queries.mean(axis=0) @ wanted, rtol=1e-4, atol=1e-4)


def test_leave_one_out_is_what_leaving_one_out_gives(data):
    queries, targets, _ = (part[:14] for part in data)
    noisy = targets + 3 * np.random.default_rng(1).standard_normal(targets.shape).astype(np.float32)

    def error(penalty):
        total = 0.0
        scale = np.linalg.eigvalsh(np.cov(queries.T, bias=True) * len(queries)).mean()
        for row in range(len(queries)):
            kept = np.arange(len(queries)) != row
            own = np.linalg.eigvalsh(np.cov(queries[kept].T, bias=True) * kept.sum()).mean()
            matrix, bias = ridge.fit(queries[kept], noisy[kept], penalty * scale / own)  # the same absolute penalty
            total += float(((queries[row] @ matrix + bias - noisy[row]) ** 2).sum())
        return total

    best = min(ridge.GRID, key=error)
    np.testing.assert_allclose(ridge.fit(queries, noisy)[0], ridge.fit(queries, noisy, best)[0])


def test_fewer_queries_than_dimensions_still_fit():
    generator = np.random.default_rng(0)
    queries = generator.standard_normal((5, 30), dtype=np.float32)
    for penalty in (None, 0.0):
        matrix, bias = ridge.fit(queries, queries[:, :4], penalty)
        assert np.isfinite(matrix).all()
        assert np.isfinite(bias).all()
