"""What a search was asked and what it found, as one entry of crossovers.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.errors import RecordsError
from harness.plan.sweep import SearchCase  # noqa: TC001  as above
from harness.records.measurement import SCHEMA_VERSION
from harness.search.result import Location  # noqa: TC001  pydantic reads the annotations below


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """The arguments of the search beside its leg, so that it can be repeated from the records."""

    precision: float = 0.05
    confidence: float = 0.95
    budget: int | None = None  # timed samples
    budget_seconds: float | None = None  # after which the run gives no more pairs
    launches: int = 8
    seed: int = 0
    prior: Location | None = None
    neighbours: bool = False  # whether N next to each other were compared first
    further: int = 0  # launches more, where an answer was still open and the seconds were not over


@dataclass(frozen=True, kw_only=True)
class SearchRecord:
    """One search: its leg, its answer, how long it took, and what it was asked."""

    leg: SearchCase
    location: Location
    seconds: float = 0.0
    quick: bool = False  # fewer launches and wider precision: every verdict says so
    asked: SearchSettings = SearchSettings()


def dump(located: Sequence[SearchRecord]) -> str:
    """crossovers.json as text; numbers that JSON does not know are written as "nan", "inf" and "-inf"."""
    found = TypeAdapter(tuple[SearchRecord, ...]).dump_python(tuple(located), mode="python")
    return json.dumps({"schema_version": SCHEMA_VERSION, "located": _plain(found)}, indent=1, ensure_ascii=False) + "\n"


def load(stored: Sequence[Mapping[str, Any]]) -> tuple[SearchRecord, ...]:
    """The entries of crossovers.json with their types.

    Raises:
        RecordsError: where they are of another shape.
    """
    try:
        return TypeAdapter(tuple[SearchRecord, ...]).validate_python(tuple(stored))
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(str(part) for part in found["loc"])
        raise RecordsError(
            f"crossovers.json: {place}: {found['msg']}", next_step="run `harness verify` on the folder that wrote it"
        ) from error


def _plain(value: Any) -> Any:
    """The value in JSON's own terms."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
