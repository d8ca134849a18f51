"""The documented command line as a suite in memory: heads of a database, a student, training, held-out scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from harness import planning
from harness.errors import DataError
from harness.suite import source

if TYPE_CHECKING:
    from pathlib import Path

    from harness.planning import Plan

STUDENT = "student"


def plan(
    db: Path,
    *,
    epochs: int,
    cosine_weight: float,
    num_heads: int | None,
    num_layers: int | None,
    batch_size: int | None,
    projection: str | None,
    seed: int,
    width: int,
) -> Plan:
    """The plan of `harness distill`.

    Raises:
        DataError: where there is no such database.
        SuiteError: where it cannot be used.
    """
    if not db.exists():
        raise DataError("there is no such file", where=str(db), next_step="give an lda.db or an .npz with the heads")
    first = source.load(
        None,
        text=yaml.safe_dump(_suite(db, 1, epochs, cosine_weight, num_heads, num_layers, batch_size, projection, seed)),
    )
    limit = next((reply.limit for reply in source.check(first).listing.replies if reply.limit), None)
    if limit is None:
        raise DataError("the number of its heads cannot be read", where=str(db))
    suite = _suite(db, limit, epochs, cosine_weight, num_heads, num_layers, batch_size, projection, seed)
    loaded = source.load(None, text=yaml.safe_dump(suite, sort_keys=False))
    made = planning.plan(loaded, source.check(loaded))
    import dataclasses

    return dataclasses.replace(made, width=width)


def _suite(
    db: Path,
    heads: int,
    epochs: int,
    cosine_weight: float,
    num_heads: int | None,
    num_layers: int | None,
    batch_size: int | None,
    projection: str | None,
    seed: int,
) -> dict[str, Any]:
    """The suite as YAML data."""
    sizes = {"num_heads": num_heads, "num_layers": num_layers}
    training = {"epochs": epochs, "cosine_weight": cosine_weight, "batch_size": batch_size}
    options = {"path": str(db.resolve()), "projection": projection}
    student = {
        "projector": "transformer",
        "runtime": "eager",
        "teacher": "lda",
        "options": {name: value for name, value in sizes.items() if value is not None},
        "trainer": {
            "use": "distillation",
            "options": {name: value for name, value in training.items() if value is not None},
        },
    }
    return {
        "name": "distill",
        "description": f"Distilling the heads of {db.name}",
        "source": {"use": "database", "options": {name: value for name, value in options.items() if value is not None}},
        "heads": {"values": [heads]},
        "batch_sizes": [1, 32],
        "training_seeds": [seed],
        "contenders": {"teacher": {"projector": "lda", "runtime": "eager"}, STUDENT: student},
        "measurement": {"launches": 2, "latency_calls": 20, "self_check": False},
        "documented": {
            "source": "the documented expectations of distillation",
            "figures": [],
            "fidelity": {"mean_cosine": 0.99, "min_cosine": 0.98, "std_cosine": 0.01},
        },
    }
