"""Say in one plain sentence what a search found."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from harness.search.lead_size import sizes
from harness.search.result import Crossing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.search.result import Decision, Failures, Location

_SIZE = "size"  # what N counts, beside the names of the contenders
MUCH_WIDER = 1.5  # times a crossover's interval: then a decision interval says more than it
BARELY_SHOWN = 0.995  # a confidence is printed to whole percent up to here
LARGEST_LEAD = 0.25  # that is worth a clause: a larger one between two crossovers is no small matter
_PARTS = re.compile(r"\bthe (challenger|baseline)\b")
MOST_SPANS = 2  # of N that failed, in the sentence; the remarks have them all


def sentence(location: Location, challenger: str, baseline: str, batch: int, *, of_heads: bool = True) -> str:
    """One sentence for a report, without a full stop.

    Args:
        location: what `locate` returned.
        challenger: name of the contender that is expected to win at large N.
        baseline: name of the other.
        batch: batch size that was raced.
        of_heads: N counts heads; otherwise it is the n of plain functions, and a batch of 1 is not worth a word.
    """
    names = {"challenger": challenger, "baseline": baseline, _SIZE: "heads" if of_heads else "n"}
    at_batch = f" at batch {batch:,}" if of_heads or batch > 1 else ""
    match location.status:
        case "crossing" | "several":
            first, *others = location.crossings
            said = [_crossing_clause(first, names, at_batch), *(_crossing_clause(each, names) for each in others)]
            return "; ".join(
                [*said, *_sizes(location, names), *_wide_decision(location), *_failure_clauses(location, names)]
            )
        case "below" | "above":
            return _throughout(location, names, at_batch)
        case "tie":
            equal = f"{challenger} and {baseline} do not differ beyond the precision asked for,"  # an older record
            if location.margin is not None:
                equal = f"no difference above {100 * location.margin:g} % between {challenger} and {baseline} anywhere"
            return "; ".join(
                [f"{equal} {_span(location, names)}{_with_comma(at_batch)}", *_failure_clauses(location, names)]
            )
        case _:
            lacks = location.notes[0] if location.notes else "no reason was given"
            lacks = lacks if of_heads else of_functions(lacks, challenger, baseline)
            parts = [f"unresolved{at_batch}: {lacks}", *_best_bracket(location), *_confirmed_clause(location, names)]
            return "; ".join([*parts, *_failure_clauses(location, names)])


def remarks(location: Location, challenger: str = "", baseline: str = "") -> tuple[str, ...]:
    """What is to be known beside the sentence: its notes, without what it says itself, and why some N are missing.

    Args:
        location: what `locate` returned.
        challenger: name of a contender that is a plain function; without the two names contenders are called by their parts.
        baseline: name of the other.
    """
    notes = location.notes[1:] if location.status == "unresolved" else location.notes
    found = (*notes, *(f"{_places(each)} could not be measured: {each.reason}" for each in location.failures))
    return tuple(of_functions(each, challenger, baseline) for each in found) if challenger else found


def of_functions(note: str, challenger: str, baseline: str) -> str:
    """A note in the words of a race of functions: their names, which no search knows, and n."""
    names = {"challenger": challenger, "baseline": baseline}
    return _PARTS.sub(lambda part: names[part[1]], note).replace("N = ", "n = ")


def _throughout(location: Location, names: Mapping[str, str], at_batch: str) -> str:
    """One contender leads wherever both were measured."""
    leader = "challenger" if location.status == "below" else "baseline"
    if not location.failures:
        said = f"{names[leader]} is faster throughout, {_span(location, names)}{_with_comma(at_batch)}"
        beyond = location.extrapolated
        tail = (
            f" (extrapolated, not measured: it might change at about {_with_unit(f'{beyond.heads:,}', names)})"
            if beyond
            else ""
        )
        by = _sizes(location, names)
        return "; ".join([f"{said}{tail}{f': {by[0]}' if by else ''}", *_wide_decision(location)])
    said = f"{names[leader]} is faster {_span(location, names)}{at_batch}"
    first, *others = location.failures[:MOST_SPANS]
    if first.contender == leader and not location.decision:
        said += f" and fails {_where(first)}"
    else:
        others.insert(0, first)
    return "; ".join([said, *_wide_decision(location), *(_failure_clause(each, names) for each in others)])


def _sizes(location: Location, names: Mapping[str, str]) -> list[str]:
    """How large the lead of a function is."""
    found = "" if names[_SIZE] == "heads" else sizes(location, names["challenger"], names["baseline"])
    return [found] if found else []


def _failure_clauses(location: Location, names: Mapping[str, str]) -> list[str]:
    return [_failure_clause(each, names) for each in location.failures[:MOST_SPANS]]


def _failure_clause(span: Failures, names: Mapping[str, str]) -> str:
    """Who fails where."""
    if span.contender:
        return f"{names[span.contender]} fails {_where(span)}"
    return f"{_places(span)} could not be measured"


def _where(span: Failures) -> str:
    """Of N that failed, as far as is known."""
    if span.next_good is None and span.last_good is not None:
        return f"at {span.low:,} and above"
    if span.last_good is None and span.next_good is not None:
        return f"at {span.high:,} and below"
    return f"at {span.low:,}" if span.low == span.high else f"from {span.low:,} to {span.high:,}"


def _places(span: Failures) -> str:
    return f"N = {span.low:,}" if span.low == span.high else f"N = {span.low:,} to {span.high:,}"


def _span(location: Location, names: Mapping[str, str]) -> str:
    """The N at which both contenders were measured."""
    low, high = location.measured if location.measured and location.failures else (location.low, location.high)
    return f"from {_with_unit(f'{low:,} to {high:,}', names)}"


def _with_unit(numbers: str, names: Mapping[str, str]) -> str:
    """`780 heads`, or `n = 780` where contenders are functions of n."""
    return f"{numbers} heads" if names[_SIZE] == "heads" else f"n = {numbers}"


def _with_comma(clause: str) -> str:
    return f",{clause}" if clause else ""


def _crossing_clause(crossing: Crossing, names: Mapping[str, str], at_batch: str = "") -> str:
    winner = names[crossing.direction]
    if crossing.kind == "step":
        return f"{winner} is faster from {_with_unit(f'{crossing.heads:,}', names)} on{at_batch}, where a cost jumps"
    share = f"{crossing.confidence:.0%}" if crossing.confidence <= BARELY_SHOWN else f"{crossing.confidence:.1%}"
    low, high = ends(crossing)
    interval = f"({share.replace('%', ' %')} CI {low:,} to {high:,})"
    return f"{winner} is faster above about {_with_unit(f'{rounded(crossing):,}', names)} {interval}{at_batch}"


def _wide_decision(location: Location) -> list[str]:
    """Where the decision is wider than what is stated of its one crossover: how little depends on it there."""
    decision = location.decision
    if decision is None or decision.at_most > LARGEST_LEAD or not _is_wider(decision, location.crossings):
        return []
    low, high = ends(decision)
    return [f"between {low:,} and {high:,} neither leads by more than {max(1, math.ceil(100 * decision.at_most))} %"]


def _is_wider(decision: Decision, crossings: tuple[Crossing, ...]) -> bool:
    if len(crossings) != 1:
        return True
    (crossing,) = crossings
    return decision.above - decision.below > MUCH_WIDER * (crossing.high - crossing.low)


def _confirmed_clause(location: Location, names: Mapping[str, str]) -> list[str]:
    """The crossings that were confirmed beside what is open."""
    known = [each for each in location.crossings if (each.low, each.high) != location.bracket]
    return [f"confirmed crossovers: {'; '.join(_crossing_clause(each, names) for each in known)}"] if known else []


def _best_bracket(location: Location) -> list[str]:
    if location.bracket is None:
        return []
    low, high = location.bracket
    return [f"a crossover, if any, lies between N = {low:,} and {high:,}"]


def rounded(crossing: Crossing) -> int:
    """Its N to the digits that the interval's width supports: the last one shown is about a tenth of it."""
    unit = _unit(crossing)
    return max(1, round(crossing.heads / unit) * unit)


def ends(crossing: Crossing | Decision) -> tuple[int, int]:
    """The ends of its interval to the same digits, rounded outwards: what is said holds whatever was found to hold."""
    unit = _unit(crossing)
    low, high = (crossing.low, crossing.high) if isinstance(crossing, Crossing) else (crossing.below, crossing.above)
    return max(1, math.floor(low / unit) * unit), math.ceil(high / unit) * unit


def _unit(crossing: Crossing | Decision) -> int:
    low, high = (crossing.low, crossing.high) if isinstance(crossing, Crossing) else (crossing.below, crossing.above)
    width = max(1, high - low)
    return int(10 ** max(0, len(str(width)) - 2))
