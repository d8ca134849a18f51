"""The documented latency benchmark, for a quick look inside one process; a suite measures with more care."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

import harness

Projection = Callable[[torch.Tensor], torch.Tensor]


def benchmark_latency(
    lda: Projection, transformer: Projection, queries: torch.Tensor, batch_size: int = 32
) -> dict[str, float]:
    """Mean milliseconds of teacher and student, query by query and in batches.

    Args:
        lda: the teacher, [B, D] -> [B, K].
        transformer: the student, [B, D] -> [B, K]; a module is put into evaluation mode meanwhile.
        queries: [Q, D].
        batch_size: rows of a batch; the last one may be shorter.

    Returns:
        `lda_single_ms` and `transformer_single_ms` per query; `lda_batch_ms` and `transformer_batch_ms` per *batch*, as
        documented; and of the latter, `lda_batch_ms_per_query` and `transformer_batch_ms_per_query`.

    Raises:
        ValueError: where batch_size is below 1.
        DataError: where there are no queries.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    if queries.ndim != 2 or 0 in queries.shape:
        raise harness.DataError(
            f"the queries have shape {list(queries.shape)}",
            next_step="give a matrix [queries, width] with at least one row",
        )
    was_training = isinstance(transformer, torch.nn.Module) and transformer.training
    if isinstance(transformer, torch.nn.Module):
        transformer.eval()
    singles, batches = torch.split(queries, 1), torch.split(queries, batch_size)
    with torch.inference_mode():
        figures = {
            "lda_single_ms": _milliseconds(lda, singles),
            "transformer_single_ms": _milliseconds(transformer, singles),
            "lda_batch_ms": _milliseconds(lda, batches),
            "transformer_batch_ms": _milliseconds(transformer, batches),
        }
    if isinstance(transformer, torch.nn.Module):
        transformer.train(was_training)
    share = len(batches) / len(queries)
    return figures | {
        f"{name}_batch_ms_per_query": figures[f"{name}_batch_ms"] * share for name in ("lda", "transformer")
    }


def _milliseconds(projection: Projection, batches: Sequence[torch.Tensor]) -> float:
    projection(batches[0])  # the first call allocates and dispatches for the first time
    _synchronise(batches[0])
    started = time.perf_counter()
    for batch in batches:
        projection(batch)
    _synchronise(batches[0])
    return (time.perf_counter() - started) / len(batches) * 1e3


def _synchronise(batch: torch.Tensor) -> None:
    if batch.is_cuda:
        torch.cuda.synchronize(batch.device)
