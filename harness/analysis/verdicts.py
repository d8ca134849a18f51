"""Say in one plain sentence what a search found."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.analysis.location import Crossing, Location

MOST_NAMED = 4  # N that were left out for the same reason
_HOW = re.compile(r"at \d+ of \d+ places one pair agreed with an earlier answer")  # changes nothing for a reader
_LEFT_OUT = re.compile(r"N = ([\d,]+) was left out: (.*)", re.DOTALL)
BARELY_SHOWN = 0.995  # a confidence is printed to whole percent up to here


def sentence(location: Location, challenger: str, baseline: str, batch: int) -> str:
    """One sentence for a report, without a full stop.

    Args:
        location: what `locate` returned.
        challenger: name of the rival that is expected to win at large N.
        baseline: name of the other.
        batch: batch size that was raced.
    """
    names = {"challenger": challenger, "baseline": baseline}
    span = f"from {location.low:,} to {location.high:,} heads"
    at_batch = f"at batch {batch:,}"
    match location.status:
        case "crossing" | "several":
            first, *others = [_from_there_on(crossing, names) for crossing in location.crossings]
            return "; ".join([f"{first} {at_batch}", *others])
        case "below":
            return f"{challenger} is faster throughout, {span}, {at_batch}"
        case "above":
            beyond = location.extrapolated
            tail = f" (extrapolated, not measured: it might change at about {beyond.heads:,} heads)" if beyond else ""
            return f"{baseline} is faster throughout, {span}, {at_batch}{tail}"
        case "tie":
            if location.margin is None:  # an older record
                return f"{challenger} and {baseline} do not differ beyond the precision asked for, {span}, {at_batch}"
            names = f"between {challenger} and {baseline}"
            return f"no difference above {100 * location.margin:g} % {names} anywhere {span}, {at_batch}"
        case _:
            lacks = location.notes[0] if location.notes else "no reason was given"
            return f"unresolved {at_batch}{_best_bracket(location)}: {lacks}{_told_all_the_same(location, names)}"


def remarks(location: Location) -> tuple[str, ...]:
    """What is to be known beside the sentence: its notes, without what it says itself, N with one reason together."""
    notes = location.notes[1:] if location.status == "unresolved" else location.notes
    left_out: dict[str, list[str]] = {}
    kept: list[str] = []
    for note in notes:
        if _HOW.fullmatch(note):
            continue
        if found := _LEFT_OUT.fullmatch(note):
            left_out.setdefault(found[2], []).append(found[1])
        else:
            kept.append(note)
    return (*kept, *(_left_out(places, why) for why, places in left_out.items()))


def _left_out(places: list[str], why: str) -> str:
    shown = ", ".join(places[:MOST_NAMED])
    more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
    return f"N = {shown}{more} {'were' if len(places) > 1 else 'was'} left out: {why}"


def _from_there_on(crossing: Crossing, names: dict[str, str]) -> str:
    winner = names[crossing.direction]
    if crossing.kind == "step":
        return f"from {crossing.heads:,} heads on, where a cost jumps, {winner} is faster"
    share = f"{crossing.confidence:.0%}" if crossing.confidence <= BARELY_SHOWN else f"{crossing.confidence:.1%}"
    low, high = ends(crossing)
    interval = f"({share.replace('%', ' %')}: {low:,} to {high:,})"
    return f"from about {rounded(crossing):,} heads on {interval} {winner} is faster"


def _told_all_the_same(location: Location, names: dict[str, str]) -> str:
    """The crossings that were confirmed beside what is open."""
    confirmed = [each for each in location.crossings if (each.low, each.high) != location.bracket]
    if not confirmed:
        return ""
    return f"; told all the same: {'; '.join(_from_there_on(each, names) for each in confirmed)}"


def _best_bracket(location: Location) -> str:
    if location.bracket is None:
        return ""
    low, high = location.bracket
    return f", the lead changes between {low:,} and {high:,} heads if it does"


def rounded(crossing: Crossing) -> int:
    """Its N to the digits that the interval's width supports: the last one shown is about a tenth of it."""
    unit = _unit(crossing)
    return max(1, round(crossing.heads / unit) * unit)


def ends(crossing: Crossing) -> tuple[int, int]:
    """The ends of its interval to the same digits, rounded outwards: what is said holds whatever was found to hold."""
    unit = _unit(crossing)
    return max(1, math.floor(crossing.low / unit) * unit), math.ceil(crossing.high / unit) * unit


def _unit(crossing: Crossing) -> int:
    width = max(1, crossing.high - crossing.low)
    return int(10 ** max(0, len(str(width)) - 2))
