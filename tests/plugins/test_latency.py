from __future__ import annotations

import pytest
import torch

import harness
from harness_plugins.latency import benchmark_latency


def test_the_documented_keys_and_the_figures_per_query():
    student = torch.nn.Linear(8, 8).train()
    figures = benchmark_latency(torch.nn.Identity(), student, torch.randn(10, 8), batch_size=4)
    assert set(figures) == {
        "lda_single_ms", "transformer_single_ms", "lda_batch_ms", "transformer_batch_ms",
        "lda_batch_ms_per_query", "transformer_batch_ms_per_query",
    }  # fmt: skip
    assert all(value > 0 for value in figures.values())
    assert figures["lda_batch_ms_per_query"] == pytest.approx(figures["lda_batch_ms"] * 3 / 10)
    assert student.training


def test_each_query_is_seen_alone_and_in_batches():
    seen = []
    benchmark_latency(lambda batch: seen.append(len(batch)), lambda batch: None, torch.randn(5, 2), batch_size=4)
    assert seen == [1] * 6 + [4] + [4, 1]  # one call of each kind beforehand


def test_nothing_to_measure_is_an_error():
    with pytest.raises(harness.DataError, match=r"the queries have shape \[0, 2\]"):
        benchmark_latency(lambda q: q, lambda q: q, torch.zeros(0, 2))
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        benchmark_latency(lambda q: q, lambda q: q, torch.zeros(1, 2), batch_size=0)
