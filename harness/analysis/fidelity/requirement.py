"""Crossovers that count only where the challenger is also right: `requires` of a race, decided from its scores."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.search.spans import winning_spans
from harness.units import distinct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.records.measurement import Fidelity
    from harness.search.result import Location
    from harness.search.spans import WinningSpan
    from harness.suite.schema import Requires

_SCORE_OF = {"cosine": "mean_cosine"}  # what a suite calls it, where the record calls it otherwise
_MOST_LISTED = 4
_Misses = dict[int, list[str]]  # by N that was scored: a sentence for each requirement that was missed


@dataclass(frozen=True, kw_only=True)
class Constrained:
    """A crossover that counts only where the challenger is also right."""

    requires: Mapping[str, float]
    faster_from: int | None  # the N from which the challenger leads on to the end of the range
    counts_from: int | None  # the smallest N from which it leads on to there and is right at every N that was scored
    sentence: str


def constrain(
    requires: Requires, location: Location, fidelities: Iterable[Fidelity], challenger: str, called: str = ""
) -> Constrained:
    """Where the challenger is faster *and* right, from its scores wherever it leads.

    Where it is scored at several training seeds, each must reach the requirement. Leads that end again are reported and
    do not count. In the sentence the challenger is `called` so, where that is given.
    """
    name = called or challenger
    wanted = {score: float(bound) for score, bound in requires.model_dump().items() if bound is not None}
    scored: _Misses = defaultdict(list)
    for record in fidelities:
        if record.contender == challenger:
            scored[record.heads].extend(_missed_scores(record, wanted))
    found = winning_spans(location)
    last = found[-1] if found and found[-1].holds else None
    counts_from = _counts_from(_misses_within(scored, last)) if last else None
    ends = "as far as is known" if location.status == "unresolved" else "where its lead ends again"
    sentences = [
        _sentence_about_lead(each, _misses_within(scored, each), name, ends) for each in found if each is not last
    ]
    if last:
        sentences.append(_sentence_about_last(last, _misses_within(scored, last), counts_from, name))
    elif found:
        sentences.append("no qualifying crossover: the lead ends inside the range")
    if location.status == "unresolved":
        sentences.append(_sentence_about_search(location, name, known=bool(found)))
    return Constrained(
        requires=wanted,
        faster_from=last.start if last else None,
        counts_from=counts_from,
        sentence="; ".join(sentences),
    )


def _misses_within(scored: _Misses, lead: WinningSpan) -> _Misses:
    return {heads: scored[heads] for heads in sorted(scored) if lead.start <= heads <= lead.end}


def _counts_from(scored: _Misses) -> int | None:
    """The smallest N that was scored from which nothing is missed."""
    found = None
    for heads in sorted(scored, reverse=True):
        if scored[heads]:
            break
        found = heads
    return found


def _sentence_about_last(lead: WinningSpan, scored: _Misses, counts_from: int | None, challenger: str) -> str:
    """A lead that holds to the end of the range."""
    span = f"from N = {lead.start:,} to {lead.end:,}, {lead.beyond or 'the end of the range'}"
    if not scored:
        return f"{challenger} is faster {span}, but whether it is equivalent there was not measured"
    where = _scored_at(scored, lead)
    if counts_from == lead.start:
        return f"{challenger} is faster and equivalent {span} ({where})"
    missed = _first_miss(scored, lead)
    if missed is None:
        return f"{challenger} is faster {span}, and equivalent from N = {counts_from:,} on ({where})"
    then = f"both hold from N = {counts_from:,} on" if counts_from else "no N satisfies both"
    return f"{challenger} is faster {span}, but not equivalent {missed}; {then} ({where})"


def _sentence_about_lead(lead: WinningSpan, scored: _Misses, challenger: str, ends: str) -> str:
    """A lead that ends again, or is not known further."""
    span = f"{challenger} is faster from N = {lead.start:,} to {lead.end:,}, {ends}"
    if not scored:
        return f"{span}, and whether it is equivalent there was not measured"
    missed = _first_miss(scored, lead)
    right = "equivalent there" if missed is None else f"not equivalent {missed}"
    return f"{span}, {right} ({_scored_at(scored, lead)})"


def _sentence_about_search(location: Location, challenger: str, *, known: bool) -> str:
    lacks = location.notes[0] if location.notes else "no reason was given"
    if known:
        return f"the search itself is unresolved: {lacks}"
    return f"where {challenger} is faster is unresolved, so nothing was scored for it"


def _first_miss(scored: _Misses, lead: WinningSpan) -> str | None:
    """`there: skill 0.20 < 0.5` for the smallest N at which something is missed."""
    for heads, misses in scored.items():
        if misses:
            return f"{'there' if heads == lead.start else f'at N = {heads:,}'}: {misses[0]}"
    return None


def _scored_at(scored: _Misses, lead: WinningSpan) -> str:
    *others, last = (f"{heads:,}" for heads in scored)
    beyond = "" if max(scored) == lead.end else ", and nowhere above"
    if len(scored) > _MOST_LISTED:
        return f"scored at {len(scored)} N from {min(scored):,} to {max(scored):,}{beyond}"
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"scored at N = {listed}{beyond}"


def _missed_scores(record: Fidelity, wanted: Mapping[str, float]) -> Iterator[str]:
    """`top1_agreement 0.71 < 0.95` for each requirement that a record misses."""
    if record.failure is not None:
        yield f"it could not be scored: {record.failure.what}"
        return
    for name, bound in wanted.items():
        value = record.scores.get(_SCORE_OF.get(name, name))
        if value is None:
            yield f"{name} is not defined for {record.heads:,} heads"
        elif value < bound:
            yield f"{name} {distinct(value, (bound,), 2)} < {bound:g}"
