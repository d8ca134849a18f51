"""Turn what a search has seen into an answer, and say what it lacks where it has none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.analysis.alike import shown
from harness.analysis.audit import PRACTICAL_JUMP
from harness.analysis.bracketing import Jump, Smooth, Undecided
from harness.analysis.location import Crossing, Location, Probe
from harness.analysis.outcomes import Outcome, confirmed_sign, jump_outcome, leader, smooth_outcome
from harness.analysis.posterior import launch_interval, two_sided
from harness.analysis.signs import pooled_noise, standard_error, winsorised_mean
from harness.analysis.throughout import how_even, throughout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.analysis.bracketing import Target
    from harness.analysis.location import Status
    from harness.analysis.search import Search

MOST_NAMED = 4
FEW_UNDECIDED = 0.2  # of all places
LEAST_LAUNCHES = 3  # that bound a difference at one N
FURTHEST_EXTRAPOLATION = 4.0  # times the end of the range
WEAK_MODE = (
    "steps were not declared: two changes of the lead between neighbouring probes (a factor of two apart) stay unseen"
)


def conclude(search: Search, lacking: str | None) -> Location:
    """The answer.

    Args:
        search: as far as it went.
        lacking: why it ended early, None where it did not.
    """
    question = search.question
    _take_back(search)
    tied = shown(search.prober, list(search.signs), question) if search.signs and not search.unseen else None
    outcomes = [] if tied else _outcomes(search)
    opened = [(target, outcome) for target, outcome in outcomes if outcome.kind == "open"]
    crossings = [outcome.crossing for _, outcome in outcomes if outcome.crossing]
    lacks, notes = _open_notes(opened), _general_notes(search)
    bracket: tuple[int, int] | None = None
    extrapolated = None
    status: Status
    if tied:
        status = "tie"
        notes.append(how_even(search, tied))
    elif opened or not search.signs:
        status = "unresolved"
        spans = [(target, span) for target, _ in opened if (span := _span(search, target))]
        changes = [span for target, span in spans if not isinstance(target, Undecided)]
        bracket = changes[0] if changes else spans[0][1] if spans else None
    elif crossings:
        status = "several" if len(crossings) > 1 else "crossing"
        missed = [outcome.crossing for _, outcome in outcomes if outcome.missed and outcome.crossing]
        if missed and search.bound and not lacking:
            status, bracket = "unresolved", (missed[0].low, missed[0].high)
            lacks.append(f"the interval is wider than ±{question.precision:.0%} and the budget is spent")
        elif missed:
            wide = f"the interval is wider than the ±{question.precision:.0%} that was asked for"
            notes.append(f"{wide}: {_why_wide(search)}")
    else:
        status, why = throughout(search)
        if search.unseen and status != "unresolved":
            status, why = "unresolved", f"the budget left {search.unseen} places of the range unseen"
        (lacks if status == "unresolved" else notes).extend([why] if why else [])
        if status == "above" and not lacking:
            extrapolated = _extrapolated(search, [outcome for _, outcome in outcomes])
    if lacking:
        if status != "unresolved":  # it may well be so, but not all that was to prove it was measured
            lacks.append(f"by {_launches_had(search)} it would be '{status}'")
            status = "unresolved"
        if crossings and bracket is None:
            bracket = crossings[0].low, crossings[0].high
        lacks.insert(0, lacking)
    notes += [note for _, outcome in outcomes if outcome.kind != "open" for note in outcome.notes]
    crossings.sort(key=lambda crossing: crossing.heads)
    joint = max(0.0, 1 - len(crossings) * (1 - question.confidence)) if status in {"crossing", "several"} else None
    return Location(
        status=status,
        crossings=tuple(crossings),
        samples=search.prober.samples,
        probes=_probes(search),
        notes=tuple(dict.fromkeys([*lacks, *notes])),
        low=question.low,
        high=question.high,
        bracket=bracket,
        joint_confidence=joint,
        extrapolated=extrapolated,
        margin=question.precision if status == "tie" else None,
    )


def _open_notes(opened: list[tuple[Target, Outcome]]) -> list[str]:
    """What the open targets lack; those of many undecided probes in one sentence."""
    notes = [note for target, outcome in opened if not isinstance(target, Undecided) for note in outcome.notes]
    alone = [target.heads for target, _ in opened if isinstance(target, Undecided)]
    if alone:
        shown = ", ".join(f"{n:,}" for n in alone[:MOST_NAMED])
        more = f" and {len(alone) - MOST_NAMED} more" if len(alone) > MOST_NAMED else ""
        notes.append(f"nobody leads that could be told, or the lead changes and changes back, at N = {shown}{more}")
    return notes


def _general_notes(search: Search) -> list[str]:
    notes = list(search.notes)
    if not search.question.known:
        notes.append(WEAK_MODE)
    if search.visible is False:
        notes.append(
            f"the declared steps change the ratio by less than {math.expm1(PRACTICAL_JUMP):.0%}, if at all: they "
            "matter little here, or are declared at the wrong N, and then others may hide crossings"
        )
    return notes + [f"N = {n:,} was left out: {reason}" for n, reason in sorted(search.prober.left_out.items())]


def _outcomes(search: Search) -> list[tuple[Target, Outcome]]:
    """What is known of each target; of steps last, since the changes of the lead beside them tell more about them."""
    targets = search.targets()
    found: dict[Target, Outcome] = {
        target: _outcome(search, target) for target in targets if not isinstance(target, Jump)
    }
    smooth = [outcome.crossing for outcome in found.values() if outcome.crossing]
    for target in targets:
        if isinstance(target, Jump):
            found[target] = jump_outcome(search.prober, target, search.question, _implied(search, target, smooth))
    return [(target, found[target]) for target in targets]


def _implied(search: Search, jump: Jump, crossings: Sequence[Crossing]) -> tuple[bool, bool]:
    """Whether a confirmed change of the lead in the segment on each side of a step settles who leads beside it."""
    start = max((step.right for step in search.steps if step.right <= jump.left), default=0)
    end = min((step.left for step in search.steps if step.left >= jump.right), default=math.inf)
    before = [each for each in crossings if start <= each.low and each.high < jump.left]
    after = [each for each in crossings if jump.right < each.low and each.high <= end]
    return (
        bool(before) and max(before, key=_place).direction == leader(jump.before),
        bool(after) and min(after, key=_place).direction != leader(jump.after),
    )


def _place(crossing: Crossing) -> int:
    return crossing.heads


def _outcome(search: Search, target: Smooth | Undecided) -> Outcome:
    question, prober = search.question, search.prober
    if isinstance(target, Smooth):
        aim = search.aims.get((target.low, target.high))
        if aim is None or prober.launch == 0:
            change = f"the change of the lead between N = {target.low:,} and {target.high:,}"
            return Outcome("open", notes=(f"{change} was not confirmed by further launches",))
        return smooth_outcome(prober, aim, question)
    now = confirmed_sign(prober, target.heads, question)
    if now == target.around or not any(search.signs.values()):
        return Outcome("none")
    return _even(search, target) or Outcome("open")


def _even(search: Search, target: Undecided) -> Outcome | None:
    """An N at which the other rival surely leads by less than the precision, if at all: it hardly matters who does.

    Only where nearly all other places are decided: where most are not, the rivals may be equal everywhere.
    """
    undecided = sum(not sign for sign in search.signs.values())
    found = _launches_at(search, target.heads)
    if found is None or undecided > FEW_UNDECIDED * len(search.signs):
        return None
    middle, low, high = found
    if (high if target.around < 0 else -low) > search.question.goal:
        return None
    span = f"{math.expm1(middle):+.1%} ({math.expm1(low):+.1%} to {math.expm1(high):+.1%})"
    note = (
        f"at N = {target.heads:,} the baseline's time differs from the challenger's by {span}: too little to tell "
        "whether the lead changes there and back"
    )
    return Outcome("none", notes=(note,))


def _launches_at(search: Search, heads: int) -> tuple[float, float, float] | None:
    """Centre and interval of the log-ratio at one N by the launches; None where too few of them were there."""
    parts = search.prober.by_launch(heads, 1)
    if 2 * len(parts) < search.question.launches or len(parts) < LEAST_LAUNCHES:
        return None
    noise = pooled_noise(search.prober.successive_differences())
    return launch_interval(parts, noise, search.question.confidence)


def _take_back(search: Search) -> None:
    """Forgets the sign of launch 0 beside a step where the launches tell the opposite, or see hardly a difference."""
    for target in search.targets():
        if not isinstance(target, Jump):
            continue
        for n in (target.left, target.right):
            found, told = _launches_at(search, n), confirmed_sign(search.prober, n, search.question)
            if told:
                search.signs[n] = told
            elif found is not None and max(-found[1], found[2]) <= search.question.goal:
                search.signs[n] = 0


def _span(search: Search, target: Target) -> tuple[int, int] | None:
    """The best bracket of an open target."""
    if isinstance(target, Jump):
        return target.left, target.right
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


def _launches_had(search: Search) -> str:
    return f"launch {search.prober.launch} of {search.question.launches}"


def _why_wide(search: Search) -> str:
    if search.ended:
        return f"a search ends after {search.question.budget:,} samples at the latest"
    between = max((aim.between for aim in search.aims.values()), default=0.0)
    slope = min((abs(aim.slope) for aim in search.aims.values()), default=1.0)
    if between > 0.3 * search.question.goal * slope:
        return f"launches differ by {math.expm1(between):.1%}, so that more of them would help and more pairs would not"
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


def _probes(search: Search) -> tuple[Probe, ...]:
    prober, confidence = search.prober, search.question.confidence
    noise = pooled_noise(prober.successive_differences())
    probes = []
    for n in prober.visited:
        parts = prober.by_launch(n, 1)
        if len(parts) > 1:
            middle, low, high = launch_interval(parts, noise, confidence)
        else:
            seen = prober.at(n)
            middle = winsorised_mean(seen, noise)
            half = two_sided(confidence) * standard_error(seen, noise)
            low, high = middle - half, middle + half
        probes.append(Probe(n, middle, low, high, prober.count(n), len(prober.by_launch(n))))
    return tuple(probes)
