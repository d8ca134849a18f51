"""Held-out queries are never trained on, whatever a source gives."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.duplicate_rows import first_equal
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.plugin.interfaces import Dataset


def without_held_out(data: Dataset) -> Dataset:
    """The same data without the training queries that are held out, too; how many they were is in its notes.

    Raises:
        DataError: where no training query is left.
    """
    held_out, train = data.held_out_queries, data.train_queries
    if not len(held_out) or not len(train):
        return data
    kept = first_equal(np.concatenate([held_out, train]))[len(held_out) :] >= len(held_out)
    if kept.all():
        return data
    if not kept.any():
        raise DataError(
            f"all {len(train):,} training queries are also held out",
            where=data.provenance.description,
            next_step="give other queries to train on",
        )
    dropped = int(len(train) - kept.sum())
    note = f"{dropped:,} of {len(train):,} training queries are also held out, and were dropped from training"
    about = data.provenance
    digest = hashlib.sha256(f"{about.digest} without {dropped} training queries".encode()).hexdigest()
    about = replace(about, digest=digest, notes=(*about.notes, note))
    heads = None if data.train_heads is None else data.train_heads[kept]
    return replace(data, train_queries=np.ascontiguousarray(train[kept]), train_heads=heads, provenance=about)
