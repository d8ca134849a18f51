"""The documented command line as a suite in memory: heads of a database, a student, training, held-out scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml

from harness.errors import DataError, SuiteError
from harness.plan import plan as planning
from harness.plan.check import check_suite
from harness.suite import loading

if TYPE_CHECKING:
    from pathlib import Path

    from harness.plan.plan import Plan

STUDENT = "student"


@dataclass(frozen=True, kw_only=True)
class DistillOptions:
    """What `harness distill` was asked for; None leaves the plugin's default."""

    db: Path
    epochs: int = 200
    cosine_weight: float = 0.7
    num_heads: int | None = None
    num_layers: int | None = None
    batch_size: int | None = None
    projection: str | None = None
    temperature: float | None = None
    queries: Path | None = None
    seed: int = 0
    width: int = 384


def plan(wish: DistillOptions) -> Plan:
    """The plan of `harness distill`.

    Raises:
        DataError: where there is no such file, or its heads cannot be counted.
        SuiteError: where it cannot be used.
    """
    for path in filter(None, (wish.db, wish.queries)):
        if not path.exists():
            what = "an lda.db or an .npz with the heads" if path == wish.db else "an .npy or .npz with query embeddings"
            raise DataError("there is no such file", where=str(path), next_step=f"give {what}")
    first = loading.load(None, text=yaml.safe_dump(_suite(wish, heads=1)))
    try:
        replies = check_suite(first).listing.replies
    except SuiteError as error:  # of a suite that nobody wrote: its lines mean nothing
        problem = error.problems[0]
        raise DataError(problem.what, where=problem.path, next_step=problem.hint) from error
    heads = next((reply.limit for reply in replies if reply.limit), None)
    if heads is None:
        raise DataError("the number of its heads cannot be read", where=str(wish.db))
    loaded = loading.load(None, text=yaml.safe_dump(_suite(wish, heads=heads), sort_keys=False))
    return replace(planning.plan(loaded, check_suite(loaded)), width=wish.width)


def _suite(wish: DistillOptions, *, heads: int) -> dict[str, Any]:
    """The suite as YAML data: the teacher, the student, and students that need no training."""
    queries = str(wish.queries.resolve()) if wish.queries else None
    data = _given(
        path=str(wish.db.resolve()), projection=wish.projection, temperature=wish.temperature, queries=queries
    )
    training = _given(epochs=wish.epochs, cosine_weight=wish.cosine_weight, batch_size=wish.batch_size)
    trivial: dict[str, Any] = {
        name: {"projector": name, "runtime": "eager", "scored": True, "options": {}} for name in ("constant", "linear")
    }
    student = {
        "projector": "transformer",
        "runtime": "eager",
        "options": _given(num_heads=wish.num_heads, num_layers=wish.num_layers),
        "trainer": {"use": "distillation", "options": training},
    }
    return {
        "name": "distill",
        "description": f"Distilling the heads of {wish.db.name}",
        "source": {"use": "database", "options": data},
        "heads": {"values": [heads]},
        "batch_sizes": [1, 32],
        "training_seeds": [wish.seed],
        "contenders": {"teacher": {"projector": "lda", "runtime": "eager"}, STUDENT: student, **trivial},
        "measurement": {"launches": 3, "latency_calls": 20, "self_check": False},
        "documented": {
            "source": "the documented expectations of distillation",
            "fidelity": {"mean_cosine": 0.99, "min_cosine": 0.98, "std_cosine": 0.01},
        },
    }


def _given(**options: Any) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in options.items() if value is not None}
