"""Which of two contenders is faster at one N and batch size, and on what evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.analysis.bias import range_within_bias, with_bias
from harness.analysis.speedup import slowdown
from harness.search.coverage import covered, failing, is_uncovered, still_works

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.analysis.statistics import Interval
    from harness.analysis.summary import Summary
    from harness.search.result import Direction, Location

_LARGE, _SMALL = 10.0, 0.1


@dataclass(frozen=True, kw_only=True)
class PairEvidence:
    """Who is faster of `one` and `other`."""

    faster: Literal["one", "other", ""]  # empty: undecided
    why: str
    measured: bool = True  # False: no interval for one of them, so that nothing is known


def pair_evidence(
    summary: Summary, one: str, other: str, calls: tuple[Interval, Interval], heads: int, batch: int
) -> PairEvidence:
    """The best evidence that there is: pairs at this very place, their race's crossovers, or separate intervals."""
    bias = summary.self_check.bias
    paired = slowdown(summary.visits, one, other, heads, batch, summary.suite.search.confidence)
    if paired is not None and paired.known:
        comparison = f"measured here in the same launches, {other} takes {_factor_text(paired)} as long"
        sure = with_bias(paired, bias)
        return PairEvidence(faster="one" if sure.low > 1 else "other" if sure.high < 1 else "", why=comparison)
    return _raced(summary, one, other, heads, batch) or _compare_cells(one, other, calls, bias)


def _raced(summary: Summary, one: str, other: str, heads: int, batch: int) -> PairEvidence | None:
    """From the answer of a race between the two; None where there is none that holds here."""
    for each in summary.searches:
        case = each.case
        if each.located is None or {case.baseline, case.challenger} != {one, other} or case.batch_size != batch:
            continue
        if not case.low <= heads <= case.high:
            continue
        slight = range_within_bias(each.located.location, summary.self_check.bias)
        if slight is not None and slight[0] <= heads <= slight[1]:
            return PairEvidence(faster="", why="their lead is smaller than the bias that the A/A test found")
        leader, why = _leader(each.located.location, heads, {"baseline": case.baseline, "challenger": case.challenger})
        if why:
            name = {"baseline": case.baseline, "challenger": case.challenger}.get(leader, "")
            return PairEvidence(faster="one" if name == one else "other" if name == other else "", why=why)
    return None


def _leader(location: Location, heads: int, names: Mapping[Direction, str]) -> tuple[str, str]:
    """Who is to be used at an N by a search's answer, and why; two empty texts where it came to none."""
    for failures, reason in failing(location, names):
        if failures.low <= heads <= failures.high:
            return still_works(failures) or "", f"in their race {reason}"
    span = covered(location)
    if span is None or is_uncovered(location, heads):
        return "", ""
    if location.status in ("crossing", "several"):
        return _by_crossings(location, heads)
    match location.status:
        case "below" | "above":
            leader = "challenger" if location.status == "below" else "baseline"
            return leader, f"in their race the lead does not change from N = {span[0]:,} to {span[1]:,}"
        case "tie":
            return "", "in their race they do not differ beyond the precision asked for"
        case _:
            return "", ""


def _by_crossings(location: Location, heads: int) -> tuple[str, str]:
    """By on which side of each crossing an N lies."""
    leader = "baseline" if location.crossings[0].direction == "challenger" else "challenger"
    why = ""
    for crossing in location.crossings:
        ends = f"{crossing.low:,} to {crossing.high:,} heads at {100 * crossing.confidence:.0f} %"
        if crossing.kind == "step":
            ends = f"{crossing.heads:,} heads, where a cost jumps"
        if crossing.kind == "step" and heads == crossing.high:
            return crossing.direction, f"the crossover of their race lies at {ends}"
        if crossing.kind != "step" and crossing.low <= heads <= crossing.high:
            return "", f"N = {heads:,} lies inside the interval of their crossover, {ends}"
        if heads <= crossing.low:  # of a step: the last N before it
            return leader, why or f"the crossover of their race lies above, at {ends}"
        leader, why = crossing.direction, f"the crossover of their race lies below, at {ends}"
    return leader, why


def _compare_cells(one: str, other: str, calls: tuple[Interval, Interval], bias: float) -> PairEvidence:
    """From two intervals that were not measured together."""
    ours, theirs = calls
    unknown = [name for name, call in ((one, ours), (other, theirs)) if not call.known]
    if unknown:
        return PairEvidence(faster="", measured=False, why=f"there is no interval for {' and '.join(unknown)} here")
    low, high = theirs.low / ours.high * math.exp(-bias), theirs.high / ours.low * math.exp(bias)
    comparison = f"by their separate intervals {other} takes {_number_text(low)} to {_number_text(high)} times as long"
    return PairEvidence(faster="one" if low > 1 else "other" if high < 1 else "", why=comparison)


def _factor_text(found: Interval) -> str:
    ends = f"{_number_text(found.low)} to {_number_text(found.high)}"
    return f"{_number_text(found.value)} times ({100 * found.confidence:.0f} %: {ends})"


def _number_text(value: float) -> str:
    """Two decimals where that tells something, else the digits that count."""
    if value >= _LARGE:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= _SMALL else f"{value:.1g}"
