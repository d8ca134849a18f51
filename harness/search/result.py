"""What a search for crossovers asks for and what it answers with: plain frozen data, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

Status = Literal["crossing", "several", "below", "above", "tie", "unresolved"]
Direction = Literal["challenger", "baseline"]
Failing = Literal["baseline", "challenger", ""]  # who could not be measured; "" where that is not known
Kind = Literal["smooth", "step"]
Stage = Literal["bracket", "refine", "confirm", "done"]


class Pair(NamedTuple):
    """One timed sample of each contender, adjacent in time, in seconds per call."""

    baseline: float
    challenger: float
    order: str = ""  # which contender went first, in the caller's own words
    started: float = 0.0  # seconds on the caller's clock


class Measure(Protocol):
    """The callback that times the contenders: exactly `rounds` pairs, in time order, all from the given launch."""

    def __call__(self, heads: int, rounds: int, launch: int, /) -> Sequence[Pair | tuple[float, float]]:
        """Time both contenders `rounds` times at N = `heads` in fresh processes of number `launch`."""
        ...


class Unmeasurable(Exception):  # noqa: N818  an answer, "not at this N", and not a fault
    """Raised by a measure where this N cannot be timed (it does not fit, it does not build): the answer leaves it out.

    Args:
        heads: the N.
        reason: in words.
        contender: which of the two failed, "" where that is not known.
        settles_larger: whether it would fail at every larger N too (memory or time ran out): none of them is tried.
    """

    def __init__(self, heads: int, reason: str = "", contender: Failing = "", settles_larger: bool = False) -> None:
        super().__init__(heads, reason)
        self.heads = heads
        self.reason = reason
        self.contender: Failing = contender
        self.settles_larger = settles_larger

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
class Failures:
    """A span of N that could not be measured, with no measured N in between, because the same contender failed."""

    low: int  # the first and the last N that failed; the end of the range where a failure settles all larger N
    high: int
    last_good: int | None  # the largest N below it at which both were measured
    next_good: int | None  # the smallest such N above it
    contender: Failing  # who failed; "" where that is not known, or both did
    reason: str  # of the smallest N of the span


@dataclass(frozen=True)
class Decision:
    """The contender to use at each N: up to `below` one of them significantly leads, from `above` on the other.

    In between, neither leads by more than `at_most` (a share, an upper bound), whatever crossings lie there.
    """

    below: int  # the largest N of the lower side
    above: int  # the smallest N of the upper side
    at_most: float  # 0.04: neither is more than 4 % faster than the other
    before: Direction  # who leads up to `below`
    after: Direction  # who leads from `above` on
    confidence: float


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
    missing and `bracket` is the best one, None where no change of sign was seen. A status is only about the N in
    `measured`, at which both contenders were timed, never about `failures`. `crossings` are confirmed by launches; those of
    an unresolved answer are incomplete.
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
    measured: tuple[int, int] | None = None  # smallest and largest N at which both were timed; None: none, or not known
    failures: tuple[Failures, ...] = ()  # what could not be measured, ascending
    decision: Decision | None = None  # 'crossing' and 'several': whom to use where, and what the part between costs
    unconfirmed: tuple[Crossing, ...] = ()  # seen but not confirmed: only a hint where to look
    details: tuple[str, ...] = ()  # how it was searched, where that changes nothing of the answer
    margin: float | None = None  # 'tie' only: a share that no difference between the two exceeds anywhere
