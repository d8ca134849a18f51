"""A search repeated from the records: the same questions, answered with the seconds that were measured then."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from harness.errors import RecordsError
from harness.records.crossovers import SearchSettings
from harness.records.samples import pairs
from harness.search import Location, Pair, Unmeasurable
from harness.search.request import budget_exhausted, run_search

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.plan.sweep import SearchCase
    from harness.records.measurement import Measurement
    from harness.records.reader import Evidence
    from harness.search.result import Failing


class DivergedError(RecordsError):
    """The search asks something else than it asked when it was recorded."""


class Recording:
    """The visits of one case's search, in the order in which they were made; `take` hands them out one by one.

    A search is a function of its answers, so it asks the same questions again; a session that resumes measures on where
    the recording ends.
    """

    def __init__(self, measurements: Iterable[Measurement], case: SearchCase) -> None:
        visits: dict[int, list[Measurement]] = defaultdict(list)
        for record in measurements:
            if record.purpose == "search" and record.leg == case.label and not record.interrupted:
                visits[record.visit].append(record)
        self._case = case
        self._visits = [visits[number] for number in sorted(visits) if _complete(visits[number])]
        self._next = 0

    @property
    def remaining(self) -> int:
        """How many visits have not been handed out."""
        return len(self._visits) - self._next

    def take(self, heads: int, rounds: int, launch: int) -> Sequence[Pair] | None:
        """The pairs of the next visit; None where the recording has ended.

        Raises:
            Unmeasurable: where the visit failed then.
            DivergedError: where the next visit was made at another N, launch or number of rounds.
        """
        if not self.remaining:
            return None
        visit = self._visits[self._next]
        self._next += 1
        first = visit[0]
        if (first.heads, first.launch) != (heads, launch):
            raise DivergedError(
                f"{self._case.label}: the search now asks for N = {heads:,} in launch {launch}, and the records have "
                f"N = {first.heads:,} in launch {first.launch} there",
                next_step="the recorded seconds or the search itself have changed since",
            )
        if (refused := unmeasurable(visit, self._case)) is not None:
            raise refused
        found = _matched(visit, self._case)
        if len(found) != rounds:
            raise DivergedError(
                f"{self._case.label}: the search now asks for {rounds} pairs at N = {heads:,} in launch {launch}, "
                f"and the records have {len(found)}",
                next_step="the recorded seconds or the search itself have changed since",
            )
        return found


def unmeasurable(visit: Sequence[Measurement], case: SearchCase) -> Unmeasurable | None:
    """What a search learns of a visit that gave no pairs; None where it gave some."""
    failed = [each for each in visit if each.failure is not None]
    if not failed:
        reason = next((each.reason or each.outcome for each in visit if each.outcome != "measured"), "")
        return Unmeasurable(visit[0].heads, reason) if reason else None
    first = failed[0]
    who: Failing = "" if len(failed) > 1 else "baseline" if first.contender == case.baseline else "challenger"
    settles = any(each.failure is not None and each.failure.settles_larger for each in failed)
    reason = f"{first.contender}: {first.failure.what if first.failure else 'failed'}"
    return Unmeasurable(first.heads, reason, who, settles)


def replay(evidence: Evidence, case: SearchCase, asked: SearchSettings | None = None) -> Location:
    """The answer that the recorded seconds of a case give.

    Raises:
        DivergedError: where the search goes another way than it went then, or was asked what makes no sense.
    """
    asked = asked or SearchSettings()
    recording = Recording(evidence.measurements, case)

    def measure(heads: int, rounds: int, launch: int) -> Sequence[Pair]:
        found = recording.take(heads, rounds, launch)
        if found is None:
            raise budget_exhausted(asked.budget_seconds)
        return found

    try:
        return run_search(measure, case, asked)
    except ValueError as error:  # a question that no run asks
        raise DivergedError(f"{case.label}: {error}") from error


def _complete(visit: Sequence[Measurement]) -> bool:
    """Both contenders were written; a run that was killed in between leaves one."""
    return len(visit) > 1


def _matched(visit: Sequence[Measurement], case: SearchCase) -> list[Pair]:
    baseline = next((each for each in visit if each.contender == case.baseline), None)
    challenger = next((each for each in visit if each.contender == case.challenger and each is not baseline), None)
    return pairs(baseline, challenger) if baseline is not None and challenger is not None else []
