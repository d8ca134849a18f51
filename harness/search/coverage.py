"""Which N an answer speaks of: those at which both contenders were measured, and none that it had to leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.search.result import Direction, Failures, Location


def covered(location: Location) -> tuple[int, int] | None:
    """The smallest and the largest N at which both were measured; None where there is none.

    Answers of older records do not say: they speak of their whole range.
    """
    if location.measured is None and not location.failures:
        return location.low, location.high
    return location.measured


def gap(failures: Failures, location: Location) -> tuple[int, int]:
    """All N around a failure that the answer says nothing of: to the measured ones, or to a failure of another kind.

    What lies between two failures of different kinds belongs to the first.
    """
    low = location.low if failures.last_good is None else failures.last_good + 1
    high = location.high if failures.next_good is None else failures.next_good - 1
    others = [each.low for each in location.failures if each.last_good == failures.last_good]
    before = any(other < failures.low for other in others)
    return failures.low if before else low, min((other - 1 for other in others if other > failures.low), default=high)


def still_works(failures: Failures) -> Direction | None:
    """Who works where the other fails; None where that is not known."""
    if failures.contender == "baseline":
        return "challenger"
    return "baseline" if failures.contender == "challenger" else None


def is_uncovered(location: Location, heads: int) -> bool:
    """Whether the answer says nothing of this N."""
    span = covered(location)
    if span is None or not span[0] <= heads <= span[1]:
        return True
    return any(low <= heads <= high for low, high in (gap(each, location) for each in location.failures))


def failing(location: Location, names: Mapping[Direction, str]) -> Iterator[tuple[Failures, str]]:
    """Each span of failures with a sentence: who fails where."""
    for each in location.failures:
        who = {"baseline": names["baseline"], "challenger": names["challenger"]}.get(each.contender, "one of the two")
        yield each, f"{who} fails at {_where(each)}"


def _where(failures: Failures) -> str:
    if failures.next_good is None:
        return f"N = {failures.low:,} and above"
    if failures.low == failures.high:
        return f"N = {failures.low:,}"
    return f"N = {failures.low:,} to {failures.high:,}"
