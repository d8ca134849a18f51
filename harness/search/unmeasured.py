"""What could not be measured, as spans of N: an answer speaks of the rest."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from harness.search.result import Failures

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.search.sampler import Sampler

FEWEST_PLACES = 2  # N at which both must have been measured for a word about who leads


def failed_places(sampler: Sampler, launches: int) -> set[int]:
    """The N that failed before so many launches had measured them; later failures do not undo what was measured."""
    return {n for n in sampler.left_out if len(sampler.by_launch(n, 1)) < launches}


def measured_range(sampler: Sampler, lost: Collection[int]) -> tuple[int, int] | None:
    """The smallest and the largest N at which both contenders were measured."""
    good = [n for n in sampler.visited if n not in lost]
    return (good[0], good[-1]) if good else None


def failures(sampler: Sampler, lost: Collection[int], high: int) -> tuple[Failures, ...]:
    """The failed N in spans with no measured N in between, ascending; where another contender fails, a new one begins."""
    good = [n for n in sampler.visited if n not in lost]
    spans: list[Failures] = []
    below = {n: max((m for m in good if m < n), default=None) for n in lost}
    groups = [
        (last_good, who, list(group))
        for (last_good, who), group in itertools.groupby(
            sorted(lost), lambda n: (below[n], sampler.left_out[n].contender)
        )
    ]
    for place, (last_good, who, places) in enumerate(groups):
        errors = [sampler.left_out[n] for n in places]
        next_good = min((m for m in good if m > places[0]), default=None)
        settled = place == len(groups) - 1 and next_good is None and any(error.settles_larger for error in errors)
        spans.append(
            Failures(
                low=places[0],
                high=high if settled else places[-1],
                last_good=last_good,
                next_good=next_good,
                contender=who,
                reason=errors[0].reason or "no reason was given",
            )
        )
    return tuple(spans)


def around_failures(low: int, high: int, spans: Collection[Failures]) -> tuple[int, int]:
    """[low, high], widened to the nearest measured N where it reaches into a span that could not be measured."""
    for span in spans:
        if low < (span.next_good or span.high + 1) and high > (span.last_good or span.low - 1):
            low = min(low, span.last_good or low)
            high = max(high, span.next_good or high)
    return low, high


def too_few_measured(sampler: Sampler, good: Collection[int]) -> str:
    """Why nothing is said where hardly any N could be measured; empty where enough could."""
    if len(good) >= FEWEST_PLACES:
        return ""
    what = f"only N = {', '.join(f'{n:,}' for n in good)}" if good else "no N"
    reasons = [error.reason for _, error in sorted(sampler.left_out.items())]
    return f"{what} could be measured: {reasons[0] if reasons else 'nothing else was tried'}"


def lost_between(left: int, right: int, span: Failures) -> str:
    """Why a change of the lead between two N is not located: what lies between could not be measured."""
    where = f"N = {span.low:,}" if span.low == span.high else f"N = {span.low:,} to {span.high:,}"
    change = f"the lead changes between N = {left:,} and {right:,}"
    return f"{change}, where {where} could not be measured: {span.reason}"
