"""What a search for crossovers asks for and what it answers with: plain frozen data, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

Status = Literal["crossing", "several", "below", "above", "tie", "unresolved"]
Direction = Literal["challenger", "baseline"]
Kind = Literal["smooth", "step"]
Stage = Literal["bracket", "refine", "confirm", "done"]


class Pair(NamedTuple):
    """One timed sample of each rival, adjacent in time, in seconds per call."""

    baseline: float
    challenger: float
    order: str = ""  # which rival went first, in the caller's own words
    started: float = 0.0  # seconds on the caller's clock


class Measure(Protocol):
    """The callback that times the rivals: exactly `rounds` pairs, in time order, all from the given launch."""

    def __call__(self, heads: int, rounds: int, launch: int, /) -> Sequence[Pair | tuple[float, float]]:
        """Time both rivals `rounds` times at N = `heads` in fresh processes of number `launch`."""
        ...


class Unmeasurable(Exception):  # noqa: N818  an answer, "not at this N", and not a fault
    """Raised by a measure where this N cannot be timed (it does not fit, it does not build): N is left out."""

    def __init__(self, heads: int, reason: str = "") -> None:
        super().__init__(heads, reason)
        self.heads = heads
        self.reason = reason

    def __str__(self) -> str:
        return f"N = {self.heads:,} cannot be measured: {self.reason or 'no reason was given'}"


class BudgetSpent(Exception):  # noqa: N818  an answer, "no more", and not a fault
    """Raised by a measure that may not time anything more: the search ends with what it has."""


@dataclass(frozen=True)
class Crossing:
    """One N at which the lead changes.

    `heads` is the first integer N at which the new leader leads. [`low`, `high`] holds the crossing of the two cost
    curves with `confidence`, and is rounded outwards to integers; a step has low = N and high = N + 1.
    """

    heads: int
    low: int
    high: int
    direction: Direction  # who leads after it
    confidence: float
    kind: Kind


@dataclass(frozen=True)
class Probe:
    """What was seen at one N: log(baseline seconds / challenger seconds), above 0 where the challenger leads."""

    heads: int
    log_ratio: float  # robust centre of the pairs
    low: float  # its interval, over launches where there are several and over pairs where there is one
    high: float
    pairs: int
    launches: int


@dataclass(frozen=True)
class Progress:
    """Where a search stands; handed to `on_progress` after every batch of pairs.

    [`low`, `high`] is the narrowest bracket so far of the first crossing (or the whole range before one is seen) and
    `estimate` its likeliest place, None while no sign change has been seen. `samples` counts timed samples, two a pair.
    """

    stage: Stage
    low: int
    high: int
    estimate: int | None
    samples: int
    launch: int = 0


@dataclass(frozen=True)
class Location:
    """The answer of a search.

    `status` is 'crossing', 'several', 'below' (the challenger leads throughout), 'above' (the baseline leads
    throughout), 'tie' (no difference beyond the precision anywhere) or 'unresolved': then `notes` begin with what is
    lacking and `bracket` is the best one, None where no change of sign was seen. `crossings` of an unresolved answer
    hold only those that the launches have confirmed, at least half of them and three; they are no full answer.
    """

    status: Status
    crossings: tuple[Crossing, ...]
    samples: int  # timed samples, two a pair
    probes: tuple[Probe, ...]  # ascending in heads
    notes: tuple[str, ...]
    low: int  # the range that was searched
    high: int
    bracket: tuple[int, int] | None = None
    joint_confidence: float | None = None  # that all stated intervals hold at once (Bonferroni's bound)
    extrapolated: Crossing | None = None  # 'above' only: a crossing beyond `high`, its interval the local model's
