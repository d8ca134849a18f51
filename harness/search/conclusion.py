"""Turn what a search has seen into an answer, and say what it lacks where it has none."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING

from harness.search.audit import PRACTICAL_JUMP
from harness.search.bracketing import Jump, Smooth, Undecided
from harness.search.confirmation import aim_from_launches
from harness.search.decision import Evidence
from harness.search.local_model import launch_interval
from harness.search.outcomes import (
    Outcome,
    confirmed_sign,
    interval_at,
    is_wider,
    jump_outcome,
    leader,
    smooth_outcome,
)
from harness.search.result import Crossing, Location, Probe
from harness.search.single_leader import leader_throughout, shared_answer
from harness.search.unmeasured import (
    around_failures,
    failed_places,
    failures,
    lost_between,
    measured_range,
    too_few_measured,
)
from harness.search.verdict import decide, first_few

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.search.adaptive import Search
    from harness.search.bracketing import Target
    from harness.search.result import Decision, Failures, Status
    from harness.search.sampler import Sampler

LEAST_LAUNCHES = 3  # that bound a difference at one N
FURTHEST_EXTRAPOLATION = 4.0  # times the end of the range
LIMITING = 0.3  # of the wanted error: launches that differ by more are what limits an interval
WEAK_MODE = (
    "steps were not declared: pairs of crossovers between adjacent probes (a factor of two apart) are not detected"
)


def conclude(search: Search, lacking: str | None) -> Location:
    """The answer; `lacking` says why the search ended early, None where it did not."""
    question, sampler = search.question, search.sampler
    lost = failed_places(sampler, question.least_launches)
    search.forget(lost)
    gaps = failures(sampler, lost, question.high)
    _apply_launches(search)
    alike = shared_answer(search)
    found = [] if alike else _outcomes(search)
    outcomes = [(target, _over_gaps(target, outcome, gaps)) for target, outcome in found]
    fits = [outcome.fitted for _, outcome in outcomes if outcome.fitted]
    evidence = Evidence(sampler, question, search.signs, fits)
    fatal = {"open", "lacking"} if search.budget_bound else {"lacking"}
    if too_few_measured(sampler, search.signs) or any(outcome.kind in fatal for _, outcome in outcomes):
        answer = _open_answer(search, outcomes)
    elif alike:
        answer = _Answer(alike[0], notes=[alike[1]])
    else:
        answer = _decided(search, outcomes, evidence, gaps)
        if search.budget_bound:
            _hold_to_budget(answer, search, outcomes)
    if lacking:
        _mark_ended(answer, search, lacking)
    stated = answer.status in {"crossing", "several"}
    notes = [note for _, outcome in outcomes if outcome.kind in {"crossing", "none"} for note in outcome.notes]
    return Location(
        status=answer.status,
        crossings=tuple(sorted(answer.crossings, key=attrgetter("heads"))),
        samples=sampler.samples,
        probes=probes(sampler, question.confidence),
        notes=tuple(dict.fromkeys([*answer.lacks, *answer.notes, *_general_notes(search), *notes])),
        low=question.low,
        high=question.high,
        bracket=answer.bracket,
        joint_confidence=max(0.0, 1 - len(answer.crossings) * (1 - question.confidence)) if stated else None,
        extrapolated=answer.extrapolated,
        measured=measured_range(sampler, lost),
        failures=gaps,
        decision=answer.decision,
        unconfirmed=tuple(sorted(answer.unconfirmed, key=attrgetter("heads"))),
        details=tuple(search.details),
        margin=question.precision if answer.status == "tie" else None,
    )


@dataclass
class _Answer:
    """What is put together on the way to an answer."""

    status: Status
    crossings: Sequence[Crossing] = ()
    unconfirmed: Sequence[Crossing] = ()
    lacks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bracket: tuple[int, int] | None = None
    decision: Decision | None = None
    extrapolated: Crossing | None = None


def _decided(
    search: Search, outcomes: Sequence[tuple[Target, Outcome]], evidence: Evidence, gaps: Sequence[Failures]
) -> _Answer:
    """The answer where the launches measured all that was wanted: undecided N become part of a decision."""
    question = search.question
    found = decide(outcomes, evidence, question, search.steps)
    answer = _Answer("unresolved", found.crossings, found.unconfirmed, [*found.lacks], [*found.notes], found.bracket)
    if found.lacks:
        return answer
    if not found.crossings:
        search.forget(n for n in search.signs if any(low < n < high for low, high in found.spans))
        leaders = set(search.signs.values())
        audited = [
            n for n in search.weak if n in search.signs and _interval_of_launches(search, n)
        ]  # late ones tell nothing
        if found.spans and len(leaders) == 1 and 0 not in leaders and not audited:
            status: Status = "below" if 1 in leaders else "above"  # the zones' own ends confirm it
            answer.status, why = status, ""
        else:
            answer.status, why = leader_throughout(search)
        (answer.lacks if answer.status == "unresolved" else answer.notes).extend([why] if why else [])
        if answer.status in {"below", "above"}:
            answer.decision = found.decision
        elif found.decision:
            answer.bracket = found.decision.below, found.decision.above
        bounded = any(gap.next_good is None for gap in gaps)
        if answer.status == "above" and not bounded and found.decision is None:
            answer.extrapolated = _extrapolated(search, [outcome for _, outcome in outcomes])
        return answer
    answer.status = "several" if len(found.crossings) > 1 else "crossing"
    answer.decision = found.decision
    if any(outcome.missed for _, outcome in outcomes) or any(is_wider(each, question.goal) for each in found.crossings):
        wide = f"the interval is wider than the ±{question.precision:.0%} that was asked for"
        answer.notes.append(f"{wide}: {_why_wide(search)}")
    return answer


def _open_answer(search: Search, outcomes: Sequence[tuple[Target, Outcome]]) -> _Answer:
    """The answer where something was not measured as often as it takes."""
    opened = [(target, outcome) for target, outcome in outcomes if outcome.kind in {"open", "lacking"}]
    crossings = [outcome.crossing for _, outcome in outcomes if outcome.crossing]
    answer = _Answer("unresolved", crossings, lacks=_open_notes(opened))
    spans = [(target, span) for target, _ in opened if (span := _span(search, target))]
    changes = [span for target, span in spans if not isinstance(target, Undecided)]
    answer.bracket = changes[0] if changes else spans[0][1] if spans else None
    if lack := too_few_measured(search.sampler, search.signs):
        answer.lacks.insert(0, lack)
    return answer


def _hold_to_budget(answer: _Answer, search: Search, outcomes: Sequence[tuple[Target, Outcome]]) -> None:
    """Takes back what a small budget did not look at well enough."""
    missed = [outcome.crossing for _, outcome in outcomes if outcome.missed and outcome.crossing]
    if missed:
        lack = f"the interval is wider than ±{search.question.precision:.0%} and the budget is spent"
        answer.status, answer.bracket, answer.decision = "unresolved", (missed[0].low, missed[0].high), None
        answer.lacks.append(lack)
        answer.notes.clear()
    elif search.unprobed and answer.status not in {"unresolved", "crossing", "several"}:
        answer.status, answer.decision, answer.extrapolated = "unresolved", None, None
        answer.lacks.append(f"the budget left {search.unprobed} places of the range unprobed")


def _mark_ended(answer: _Answer, search: Search, lacking: str) -> None:
    """Says that a search was ended: it may well be so, but not all that was to prove it was measured."""
    if answer.status != "unresolved":
        launch = f"launch {search.sampler.launch} of {search.question.launches}"
        answer.lacks.append(f"preliminary result after {launch}: '{answer.status}'")
    answer.status, answer.decision, answer.extrapolated = "unresolved", None, None
    if answer.crossings and answer.bracket is None:
        answer.bracket = answer.crossings[0].low, answer.crossings[0].high
    answer.lacks.insert(0, lacking)


def _over_gaps(target: Target, outcome: Outcome, gaps: Sequence[Failures]) -> Outcome:
    """An outcome that speaks of no N that could not be measured: its interval reaches over them, or it is left open."""
    if isinstance(target, Undecided):
        return outcome
    if outcome.crossing is not None:
        crossing, fitted = outcome.crossing, outcome.fitted
        low, high = around_failures(crossing.low, crossing.high, gaps)
        if (low, high) == (crossing.low, crossing.high):
            return outcome
        if fitted is not None and fitted.low <= low and high <= fitted.high:
            span = outcome.span or (low, high)
            span = min(low, span[0]), max(high, span[1])
            return replace(outcome, crossing=replace(crossing, low=low, high=high), missed=True, span=span)
    ends = target.ends
    inside = [gap for gap in gaps if ends[0] < gap.low <= gap.high < ends[1]]
    if not inside or outcome.kind == "none" or (outcome.kind == "crossing" and outcome.crossing is None):
        return outcome
    gap = inside[0]
    span = gap.last_good or ends[0], gap.next_good or ends[1]
    note = lost_between(*span, gap)
    return Outcome("lacking", notes=(note,), span=span)


def _open_notes(opened: Sequence[tuple[Target, Outcome]]) -> list[str]:
    """What the open targets lack; those of many undecided probes in one sentence."""
    notes = [note for target, outcome in opened if not isinstance(target, Undecided) for note in outcome.notes]
    alone = [target.heads for target, _ in opened if isinstance(target, Undecided)]
    if alone:
        notes.append(f"no significant difference (or a double crossover) at N = {first_few(alone)}")
    return notes


def _general_notes(search: Search) -> list[str]:
    notes = [*search.notes, *search.findings()]
    if not search.question.known:
        notes.append(WEAK_MODE)
    if search.visible is False:
        notes.append(
            f"the declared steps change the ratio by less than {math.expm1(PRACTICAL_JUMP):.0%}, if at all: they "
            "matter little here, or are declared at the wrong N, and then others may hide crossings"
        )
    return notes


def _outcomes(search: Search) -> list[tuple[Target, Outcome]]:
    """What is known of each target; of steps last, since the changes of the lead beside them tell more about them."""
    targets = search.targets()
    found: dict[Target, Outcome] = {
        target: _outcome(search, target) for target in targets if not isinstance(target, Jump)
    }
    smooth = [outcome.crossing for outcome in found.values() if outcome.crossing]
    for target in targets:
        if isinstance(target, Jump):
            found[target] = jump_outcome(search.sampler, target, search.question, _implied(search, target, smooth))
    return [(target, found[target]) for target in targets]


def _implied(search: Search, jump: Jump, crossings: Sequence[Crossing]) -> tuple[bool, bool]:
    """Whether a confirmed change of the lead in the segment on each side of a step settles who leads beside it."""
    start = max((step.right for step in search.steps if step.right <= jump.left), default=0)
    end = min((step.left for step in search.steps if step.left >= jump.right), default=math.inf)
    before = [each for each in crossings if start <= each.low and each.high < jump.left]
    after = [each for each in crossings if jump.right < each.low and each.high <= end]
    return (
        bool(before) and max(before, key=attrgetter("heads")).direction == leader(jump.before),
        bool(after) and min(after, key=attrgetter("heads")).direction != leader(jump.after),
    )


def _outcome(search: Search, target: Smooth | Undecided) -> Outcome:
    question, sampler = search.question, search.sampler
    if isinstance(target, Smooth):
        aim = search.aims.get((target.low, target.high))
        if aim is None and target.edge and sampler.launch:
            return Outcome("open", span=(target.low, target.high))
        if aim is None and sampler.launch:  # a step that was taken back had divided this change of the lead
            aim = aim_from_launches(sampler, target, question)
        if aim is None or sampler.launch == 0:
            change = f"the change of the lead between N = {target.low:,} and {target.high:,}"
            return Outcome("lacking", notes=(f"{change} was not confirmed by further launches",))
        return smooth_outcome(sampler, replace(aim, target=target), question)
    now = confirmed_sign(sampler, target.heads, question)
    if (now and now == target.around) or not any(search.signs.values()):
        return Outcome("none")
    return Outcome("open" if len(sampler.by_launch(target.heads, 1)) >= question.least_launches else "lacking")


def _interval_of_launches(search: Search, heads: int) -> tuple[float, float, float] | None:
    """Centre and interval of the log-ratio at one N by the launches; None where too few of them were there."""
    parts = search.sampler.by_launch(heads, 1)
    if 2 * len(parts) < search.question.launches or len(parts) < LEAST_LAUNCHES:
        return None
    noise = search.sampler.noise()
    return launch_interval(parts, noise, search.question.confidence)


def _apply_launches(search: Search) -> None:
    """Lets the launches tell who leads beside each step; where they see hardly a difference, nobody is said to."""
    changes = {n for target in search.targets() if isinstance(target, Jump) for n in (target.left, target.right)}
    for n in sorted(n for step in search.steps for n in (step.left, step.right) if n in search.signs):
        found, confirmed = _interval_of_launches(search, n), confirmed_sign(search.sampler, n, search.question)
        if confirmed and (n in changes or confirmed == search.signs[n] or not search.signs[n]):
            search.signs[n] = confirmed
        elif confirmed or (n in changes and found is not None and max(-found[1], found[2]) <= search.question.goal):
            search.signs[n] = 0


def _span(search: Search, target: Target) -> tuple[int, int] | None:
    """The best bracket of an open target."""
    if isinstance(target, Jump):
        return target.ends
    if isinstance(target, Undecided):
        before = [n for n, sign in search.signs.items() if sign and n < target.heads]
        behind = [n for n, sign in search.signs.items() if sign and n > target.heads]
        return (max(before), min(behind)) if before and behind else None
    low, high = target.low, target.high
    aim = search.aims.get((low, high))
    interval = aim.fit.crossing_interval() if aim and aim.fit else None
    enough = aim and aim.fit and aim.fit.launches > search.question.least_launches  # else only its ends are sure
    if interval and enough and all(map(math.isfinite, interval)):
        inner = max(low, math.floor(math.exp(interval[0]))), min(high, math.ceil(math.exp(interval[1])))
        if inner[0] < inner[1]:
            return inner
    return low, high


def _why_wide(search: Search) -> str:
    if search.limit_reached:
        return f"a search ends after {search.question.budget:,} samples at the latest"
    between = max((aim.between for aim in search.aims.values()), default=0.0)
    slope = min((abs(aim.slope) for aim in search.aims.values()), default=1.0)
    if between > LIMITING * search.question.goal * slope:
        return f"limited by between-launch variance ({math.expm1(between):.1%}): raise launches, not the budget"
    return "the noise was larger than the plan allowed for"


def _extrapolated(search: Search, outcomes: list[Outcome]) -> Crossing | None:
    """A crossing just beyond the range with the local model's interval; None where that reaches too far to be said."""
    question = search.question
    beyond = next((outcome.beyond for outcome in outcomes if outcome.beyond is not None), None)
    if beyond is None or beyond[2] > FURTHEST_EXTRAPOLATION * question.high:
        return None
    low, high = max(question.high, math.floor(beyond[1])), math.ceil(beyond[2])
    heads = min(max(math.ceil(beyond[0]), low + 1), high)
    after = -next(sign for n, sign in sorted(search.signs.items(), reverse=True) if sign)
    return Crossing(heads, low, high, leader(after), question.confidence, "smooth")


def probes(
    sampler: Sampler, confidence: float, places: Sequence[int] | None = None, least: int = 2
) -> tuple[Probe, ...]:
    """What was seen at every N, ascending."""
    return tuple(
        Probe(n, *interval_at(sampler, n, confidence, least), sampler.count(n), len(sampler.by_launch(n)))
        for n in (sampler.visited if places is None else places)
    )
