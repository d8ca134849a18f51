"""Whether one contender leads throughout where no change of the lead was seen, or all N together show a tie or one leader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.search import tie
from harness.search.audit import WEAK
from harness.search.local_model import launch_interval
from harness.search.outcomes import confirmed_sign, contradicting_launches
from harness.search.sign_test import winsorised_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.search.adaptive import Search
    from harness.search.result import Status
    from harness.search.sampler import Floats

LONE_CONTRADICTION = 0.999  # confidence at which one probe alone contradicts all the others


def leader_throughout(search: Search) -> tuple[Status, str]:
    """The status where no change of the lead was seen, and what is to be said with it.

    Launch 0 looks everywhere, and the launches confirm what an error would hide behind: the lead at both ends of the
    range, the smallest lead, and the weak ones. Large leads are confirmed one by one, weak ones taken together.
    """
    question, sampler = search.question, search.sampler
    noise = sampler.noise()
    audited = [n for n in search.weak if n in search.signs and len(sampler.by_launch(n, 1)) >= question.least_launches]
    if not audited:
        return "unresolved", f"fewer than {question.least_launches} further launches looked at who leads"
    decided = {sign for sign in search.signs.values() if sign}
    level = {n: abs(winsorised_mean(sampler.at(n), noise)) for n in search.signs}
    goal = question.goal
    nothing_strong = not decided or all(each < 2 * goal for each in level.values())
    weak = [n for n in audited if level[n] < WEAK or nothing_strong]
    confirmed = {n: confirmed_sign(sampler, n, question) for n in audited if n not in weak}
    split = {n: sides for n in sorted(audited) if (sides := contradicting_launches(sampler, n))}
    if split:
        where = f"{min(split):,}" + (f" to {max(split):,}" if len(split) > 1 else "")
        one, other = max(split.values(), key=min)
        return "unresolved", (
            f"the launches contradict each other at N = {where}: the challenger is faster in {one} of them, "
            f"the baseline in {other}"
        )
    unconfirmed = [n for n, sign in confirmed.items() if {sign} != decided]
    if unconfirmed:
        return "unresolved", f"the launches do not confirm who leads at N = {', '.join(f'{n:,}' for n in unconfirmed)}"
    if not weak:
        return ("below" if decided == {1} else "above"), ""
    middle, low, high = launch_interval(_pooled_by_launch(search, weak), noise, question.confidence, question.launches)
    contrary = [n for n in weak if confirmed_sign(sampler, n, question, LONE_CONTRADICTION) * middle < 0]
    side = 1 if low > 0 else -1 if high < 0 else 0
    if side and not contrary and decided <= {side}:
        return ("below" if side > 0 else "above"), ""
    span = f"{middle:+.3f} ({low:+.3f} to {high:+.3f})"
    return "unresolved", f"inconclusive: the pooled log-ratio is {span} over {len(weak)} probes"


def shared_answer(search: Search) -> tuple[Status, str] | None:
    """The answer, and what it rests on, where all N taken together show that it is the same at each of them."""
    shared = None if search.unprobed else tie.verdict(search.sampler, list(search.signs), search.question)
    if shared is None:
        return None
    status, known = shared
    return status, tie.explained(status, known, search.sampler, search.question)


def _pooled_by_launch(search: Search, places: Sequence[int]) -> list[Floats]:
    """All log-ratios at these N, one array a launch."""
    launches: dict[int, list[Floats]] = {}
    for n in places:
        for place, part in enumerate(search.sampler.by_launch(n, 1)):
            launches.setdefault(place, []).append(part)
    return [np.concatenate(parts) for parts in launches.values()]
