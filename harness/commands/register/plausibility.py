"""What holds for the records of every real run, whatever its machine: what breaks it was not measured like this."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import math
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from pydantic_core import to_json

from harness.plan.sweep import sweep
from harness.records.crossovers import load
from harness.records.measurement import IN_BLOCKS
from harness.records.stored_suite import suite_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.measurement import Measurement, RunInfo, Sampled
    from harness.records.reader import Evidence

_CLOCK = 60.0  # seconds by which a clock may be set while a run goes on
_DAY = 86400.0
_SHARE = 0.05  # of a sample: it and its overhead were rounded
_SHOWN = 3  # places that a sentence names
_DIGITS = 16  # of the digest of a suite
_ROUNDED = 2e-6  # by which a mean of scores may differ that were rounded to a millionth


def doubts(evidence: Evidence) -> Iterator[str]:
    """A sentence for each thing that the records of a whole run cannot be."""
    yield from _of_the_run(evidence.run)
    yield from (f"{each}: a whole run has none" for each in evidence.torn)
    yield from _unasked_records(evidence)
    visits: dict[int, list[Measurement]] = defaultdict(list)
    for record in evidence.measurements:
        visits[record.visit].append(record)
    if visits and (gaps := sorted(set(range(1, max(visits) + 1)) - set(visits))):
        yield f"the records of {_numbered('visit', gaps)} are missing"
    yield from _copied_samples(evidence.measurements)
    yield from _scores(evidence)
    window = _window(evidence.run)
    outside, orders, overlaps = [], [], []
    for number, records in sorted(visits.items()):
        sampled = [each.sampled for each in records if each.sampled is not None]
        if window and any(not window[0] <= at <= window[1] for each in sampled for at in each.started):
            outside.append(number)
        if not _in_order([each.sampled for each in records if each.sampled and each.purpose != IN_BLOCKS]):
            orders.append(number)
        if any(_overlaps(each) for each in sampled):
            overlaps.append(number)
    if outside:
        yield f"{_numbered('visit', outside)} took place before the run began or after it ended"
    if orders:
        yield f"in {_numbered('visit', orders)} the samples do not follow one another in the order that was drawn"
    if overlaps:
        yield f"in {_numbered('visit', overlaps)} a sample begins before the one before it can have ended"


def samples(evidence: Evidence) -> dict[bytes, int]:
    """What no two visits of any machines have in common: a digest of the seconds and times of each record, its visit."""
    return {
        hashlib.sha256(repr((each.sampled.seconds, each.sampled.started)).encode()).digest(): each.visit
        for each in evidence.measurements
        if each.sampled is not None
    }


def _of_the_run(run: RunInfo) -> Iterator[str]:
    if run.status != "complete":
        yield f"the run is not complete: its status is {run.status}"
    if run.quick:
        yield "it is a quick run, which has fewer launches and wider precision"
    if run.forced:
        yield f"it was resumed with --force although {run.forced[0]}"
    if run.suite_digest != hashlib.sha256(to_json(run.suite)).hexdigest()[:_DIGITS]:
        yield "the suite is not the one whose digest run.json names: it was edited"
    window = _window(run)
    if window is None:
        yield f"run.json does not say when the run took place: {run.started} to {run.finished}"
    elif window[1] > time.time() + _DAY:
        yield f"it ended in the future: {run.finished}"
    if not run.machine.get("processor"):
        yield "run.json names no processor"


def _unasked_records(evidence: Evidence) -> Iterator[str]:
    """Records of what the suite does not ask."""
    suite = suite_of(evidence.run)
    names = {each.contender for each in evidence.measurements} | {each.contender for each in evidence.fidelities}
    names -= set(suite.contenders)
    if names:
        yield f"there are records of {min(names)}, which is not a contender of the suite"
    batches = {each.batch_size for each in evidence.measurements} - {
        *suite.batch_sizes, *itertools.chain.from_iterable(each.batch_sizes or () for each in suite.contenders.values()),
    }  # fmt: skip
    if batches:
        yield f"there are records at batch {min(batches):,}, which the suite does not ask for"
    table = [each for each in evidence.measurements if each.purpose == "table"]
    cells = {(each.contender, each.heads, each.batch_size) for each in sweep(suite).cells}
    if others := {each.cell for each in table} - cells:
        name, heads, _ = min(others)
        yield f"there are records of {name} at N = {heads:,} in the table, which the suite does not ask for"
    answered = {each.case.label for each in load(evidence.located)}
    if searched := {each.leg for each in evidence.measurements if each.purpose == "search" and each.leg} - answered:
        yield f"{min(searched)} was searched, and crossovers.json has no answer to it"
    wanted = set(range(1, suite.measurement.launches + 1))
    seen: dict[tuple[str, int, int], set[int]] = defaultdict(set)
    for each in table:
        seen[each.cell].add(each.launch if each.outcome == "measured" else 0)
    few = [cell for cell, numbers in seen.items() if 0 not in numbers and numbers != wanted]
    if few:
        name, heads, _ = min(few)
        yield f"{name} at N = {heads:,} was not measured in each of the {len(wanted)} launches of the suite"


def _copied_samples(records: Sequence[Measurement]) -> Iterator[str]:
    """Two records with the same seconds at the same times; a process is in one place at a time."""
    seen: dict[tuple[object, ...], int] = {}
    twice = []
    for record in records:
        if record.sampled is None:
            continue
        key = (record.sampled.started, record.sampled.seconds)
        if key in seen:
            twice.append(record.visit)
        seen[key] = record.visit
    if twice:
        yield f"a record of {_numbered('visit', sorted(set(twice)))} is there twice"


def _scores(evidence: Evidence) -> Iterator[str]:
    """Scores that are not the means of those of their queries, and students that were scored twice."""
    for each in evidence.fidelities:
        for name, kept in each.per_query.items():
            if kept and abs(math.fsum(kept) / len(kept) - each.scores.get(name, math.inf)) > _ROUNDED:
                yield f"{name} of {each.contender} at N = {each.heads:,} is not the mean over its queries"
    good = Counter((each.contender, each.heads, each.seed) for each in evidence.fidelities if each.failure is None)
    twice = [who for who, count in good.items() if count > 1]
    if twice:
        yield f"{twice[0][0]} at N = {twice[0][1]:,}, seed {twice[0][2]}, was scored twice"


def _window(run: RunInfo) -> tuple[float, float] | None:
    """When the run took place, in seconds since the epoch; None where it does not say so."""
    try:
        ends = [dt.datetime.fromisoformat(each).timestamp() for each in (run.started, run.finished or "")]
    except (ValueError, OverflowError):
        return None
    return (ends[0] - _CLOCK, ends[1] + _CLOCK) if ends[0] <= ends[1] + _CLOCK else None


def _in_order(sampled: Sequence[Sampled]) -> bool:
    """In every round each contender has a place of its own, and was timed in that order."""
    rounds: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for each in sampled:
        for number, place, at in zip(each.rounds, each.positions, each.started, strict=True):
            rounds[number].append((place, at))
    for places in rounds.values():
        ordered = sorted(places)
        if len({place for place, _ in ordered}) != len(ordered):
            return False
        if any(one[1] > other[1] for one, other in itertools.pairwise(ordered)):
            return False
    return True


def _overlaps(sampled: Sampled) -> bool:
    """Whether the calls of a sample would not fit before the next one of the same contender."""
    spent = [sampled.inner_loops * (each + max(0.0, sampled.overhead_seconds)) for each in sampled.seconds]
    starts = sampled.started
    return any(
        after - before < (1 - _SHARE) * seconds
        for before, after, seconds in zip(starts, starts[1:], spent, strict=False)
    )


def _numbered(what: str, numbers: Sequence[int]) -> str:
    """`visit 7`, `visits 7, 9, 11 and 40 more`."""
    shown = ", ".join(f"{each:,}" for each in numbers[:_SHOWN])
    rest = len(numbers) - _SHOWN
    more = f" and {rest:,} more" if rest > 0 else ""
    return f"{what}{'s' if len(numbers) > 1 else ''} {shown}{more}"
