"""A quick race at somebody's own N, D, T and batch size, for `harness advise --data`: a suite in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from harness.commands import distill
from harness.plan import plan as planning
from harness.plan.check import check_suite
from harness.suite import loading

if TYPE_CHECKING:
    from pathlib import Path

    from harness.errors import HarnessError
    from harness.plan.plan import Plan

_TRAINING_SECONDS = 10.0  # of the student that is trained, at the most


def as_typed(error: HarnessError, data: Path) -> HarnessError:
    """The same error, in which the file of heads is called as it was typed."""
    return distill.as_typed(error, _wish(data))


def _wish(data: Path, temperature: float | None = None) -> distill.DistillOptions:
    return distill.DistillOptions(db=data, temperature=temperature, data_option="--data")


def plan(data: Path, batch: int, heads: int | None = None, temperature: float | None = None) -> Plan:
    """The heads themselves in two forms, and three students that are scored.

    Args:
        data: an `lda.db` or `.npz` file.
        batch: B.
        heads: N; None takes that of the file, more than it has are resampled from it.
        temperature: T, in place of the stored one.

    Raises:
        DataError: where the file cannot be used.
    """
    wish = _wish(data, temperature)
    stored = distill.count_heads(wish)
    own = {"path": str(data.resolve()), **({} if temperature is None else {"temperature": temperature})}
    source: dict[str, Any] = {"use": "database", "options": own}
    if heads is not None and heads > stored:
        source = {"use": "resampled", "options": {"of": "database", "options": own}}
    fast = {"runtime": "onnxruntime"}
    trainer = {"use": "distillation-scaled", "options": {**distill.RANKED, "seconds": _TRAINING_SECONDS}}
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
        "measurement": {"launches": 2, "latency_calls": 20, "self_check": False},
    }
    loaded = loading.load(None, text=yaml.safe_dump(suite, sort_keys=False))
    return planning.plan(loaded, check_suite(loaded))
