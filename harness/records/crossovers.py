"""What a search was asked and what it found, as one entry of crossovers.json."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from harness.errors import RecordsError
from harness.plan.sweep import SearchCase  # noqa: TC001  as above
from harness.printable import one_line
from harness.records.measurement import SCHEMA_VERSION
from harness.search.result import Location  # noqa: TC001  pydantic reads the annotations below

_MOST = 2**500  # whose square is a float
_AGAIN = "run `harness verify` on the folder that wrote it"


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """The arguments of the search beside its case, so that it can be repeated from the records."""

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
    """One search: what it was about, its answer, how long it took, and what it was asked."""

    case: Annotated[SearchCase, Field(alias="leg")]  # its name in the file
    location: Location
    seconds: float = 0.0
    quick: bool = False  # fewer launches and wider precision: every verdict says so
    asked: SearchSettings = SearchSettings()


@cache
def _records() -> TypeAdapter[tuple[SearchRecord, ...]]:
    """Made once: it costs more than what it is used for."""
    return TypeAdapter(tuple[SearchRecord, ...])


def dump(located: Sequence[SearchRecord]) -> str:
    """crossovers.json as text; numbers that JSON does not know are written as "nan", "inf" and "-inf"."""
    found = _records().dump_python(tuple(located), mode="python", by_alias=True)
    return (
        json.dumps({"schema_version": SCHEMA_VERSION, "located": _as_json(found)}, indent=1, ensure_ascii=False) + "\n"
    )


def load(stored: Sequence[Mapping[str, Any]]) -> tuple[SearchRecord, ...]:
    """The entries of crossovers.json with their types.

    Raises:
        RecordsError: where they are of another shape.
    """
    try:
        found = _records().validate_python(tuple(stored))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecordsError(f"crossovers.json: {place}: {first['msg']}", next_step=_AGAIN) from error
    for each in found:
        answers = (each.location, each.asked.prior) if each.asked.prior is not None else (each.location,)
        if what := next(filter(None, map(_impossible, answers)), ""):
            raise RecordsError(f"crossovers.json: {one_line(each.case.label)}: {what}", next_step=_AGAIN)
    return found


def _impossible(location: Location) -> str:
    """Why no search can have given an answer; empty where one can."""
    if location.status in ("crossing", "several") and not location.crossings:
        return f"its status is {location.status!r}, and it has no crossing"
    for what, low, high in _spans(location):
        if not 1 <= low <= high <= _MOST:
            return f"{what} from N = {_n(low)} to {_n(high)}"
    return ""


def _spans(location: Location) -> Iterator[tuple[str, int, int]]:
    """What is said of N, each with its smallest and its largest."""
    beyond = (location.extrapolated,) if location.extrapolated is not None else ()
    for found in (*location.crossings, *location.unconfirmed, *beyond):
        yield "a crossing lies", found.low, found.high
        yield "a crossing lies", found.heads, found.heads
    yield "it searched", location.low, location.high
    yield from (("it looked", each.heads, each.heads) for each in location.probes)
    if location.bracket is not None:
        yield "its bracket is", *location.bracket
    if location.measured is not None:
        yield "it measured", *location.measured
    if location.decision is not None:
        yield "its decision is", location.decision.below, location.decision.above
    for each in location.failures:
        yield "it failed", each.low, each.high
        yield from (("it worked", n, n) for n in (each.last_good, each.next_good) if n is not None)


def _n(heads: int) -> str:
    return f"{heads:,}" if abs(heads) <= _MOST else "a number of more than 150 digits"


def _as_json(value: Any) -> Any:
    """The value in JSON's own terms."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _as_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(each) for each in value]
    return value
