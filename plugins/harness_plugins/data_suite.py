"""A quick race at somebody's own N, D, T and batch size, for `harness advise --data`: a suite in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import harness
from harness_plugins import distill_suite

if TYPE_CHECKING:
    from pathlib import Path

_TRAINING_SECONDS = 10.0  # of the student that is trained, at the most


def plan(data: Path, batch: int, heads: int | None = None, temperature: float | None = None) -> harness.PlannedSuite:
    """The heads themselves in two forms, and three students that are scored.

    Args:
        data: an `lda.db` or `.npz` file.
        batch: B.
        heads: N; None takes that of the file, more than it has are resampled from it.
        temperature: T, in place of the stored one.

    Raises:
        DataError: where the file cannot be used.
    """
    typed = {"path": f"--data {data}", "temperature": "--temperature"}
    stored = distill_suite.count_heads(distill_suite.DistillOptions(db=data, temperature=temperature), typed)
    own = {"path": str(data.resolve()), **({} if temperature is None else {"temperature": temperature})}
    source: dict[str, Any] = {"use": "database", "options": own}
    if heads is not None and heads > stored:
        source = {"use": "resampled", "options": {"of": "database", "options": own}}
    fast = {"runtime": "onnxruntime"}
    trainer = {"use": "distillation-scaled", "options": {**distill_suite.RANKED, "seconds": _TRAINING_SECONDS}}
    suite = {
        "name": "advise",
        "description": f"Which contender to use for {data.name}",
        "source": source,
        "heads": {"values": [heads or stored]},
        "batch_sizes": [batch],
        "contenders": {
            "heads": {"projector": "lda", "runtime": "python"},
            "heads-onnx": {"projector": "lda", **fast},
            "linear": {"projector": "linear", **fast, "scored": True},
            "routed": {"projector": "routed", **fast, "scored": True},
            "ranked": {"projector": "routed", **fast, "trainer": trainer},
        },
        "measurement": dict(distill_suite.MEASUREMENT),
    }
    return harness.plan_suite(suite, typed=typed)
