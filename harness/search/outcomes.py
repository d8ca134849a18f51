"""What may be stated of each change of the lead once the launches are over, and what is left open."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.search.local_model import REACH, fit, launch_interval, two_sided
from harness.search.result import Crossing
from harness.search.sign_test import MAD_TO_SD, median, standard_error, winsorised_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.search.bracketing import Jump, Smooth
    from harness.search.confirmation import Aim, Question
    from harness.search.local_model import LocalFit
    from harness.search.result import Direction
    from harness.search.sampler import Observations, Sampler
    from harness.search.sign_test import Sign

MISFIT_LEVEL = 0.003
DISTURBED = 6.0  # standard deviations of the other launches
DIVIDED = 0.05  # log-ratio beyond which a launch sees a lead that counts against the others
DIVIDED_ERRORS = 2.6  # standard errors by which it sees it
LEAST_SEEN = 3  # pairs of a launch, so that one that was disturbed does not make its median
LEAST_DIVIDED = 2  # launches on each side, below which one of them may have been disturbed
UNSURE_POINTS = 201  # of log N on which the end of what is unsure is looked for


@dataclass(frozen=True)
class Fitted:
    """A local curve and the N between which it may be believed."""

    low: int
    high: int
    curve: LocalFit


@dataclass(frozen=True)
class Outcome:
    """What became of one target: 'open' where the launches cannot decide, 'lacking' where they have not measured it."""

    kind: Literal["crossing", "none", "open", "lacking"]
    crossing: Crossing | None = None
    notes: tuple[str, ...] = ()
    missed: bool = False  # the interval is wider than was wanted
    beyond: tuple[float, float, float] | None = None  # N of a crossing beyond the range, and its interval, as modelled
    span: tuple[int, int] | None = None  # outside of it who leads is sure, on both of its sides at once
    fitted: Fitted | None = None


def confirmed_sign(
    sampler: Sampler, heads: int, question: Question, confidence: float | None = None, least: int | None = None
) -> Sign:
    """Who leads at this N by the launches alone: by their interval, or by being unanimous; 0 where it is undecided.

    `least` launches must have been there; by default half of those that were planned.
    """
    confidence = question.confidence if confidence is None else confidence
    parts = sampler.by_launch(heads, 1)
    if len(parts) < (question.least_launches if least is None else least):
        return 0
    noise = sampler.noise()
    _, low, high = launch_interval(parts, noise, confidence, question.launches)
    if low > 0 or high < 0:
        return 1 if low > 0 else -1
    medians = [median(part) for part in parts]
    unanimous = min(medians) > 0 or max(medians) < 0
    if unanimous and 2 ** (1 - len(parts)) < 1 - confidence:  # the sign test
        return 1 if min(medians) > 0 else -1
    return 0


def interval_at(sampler: Sampler, heads: int, confidence: float, least: int = 2) -> tuple[float, float, float]:
    """Centre and ends of the log-ratio at one N: over launches where there are `least` of them, else over pairs."""
    noise, parts = sampler.noise(), sampler.by_launch(heads, 1)
    if len(parts) >= least:
        return launch_interval(parts, noise, confidence)
    seen = sampler.at(heads)
    middle, half = winsorised_mean(seen, noise), two_sided(confidence) * standard_error(seen, noise)
    return middle, middle - half, middle + half


def contradicting_launches(sampler: Sampler, heads: int) -> tuple[int, int] | None:
    """How many launches see the one and the other contender lead at this N, where several do so clearly on both sides.

    No average over such launches says who is faster: a process that begins tomorrow may be of either kind.
    """
    noise = sampler.noise()
    sides = {1: 0, -1: 0}
    for part in sampler.by_launch(heads, 1):
        lead = median(part)
        if part.size >= LEAST_SEEN and abs(lead) > max(DIVIDED, DIVIDED_ERRORS * standard_error(part, noise)):
            sides[1 if lead > 0 else -1] += 1
    return (sides[1], sides[-1]) if min(sides.values()) >= LEAST_DIVIDED else None


def jump_outcome(sampler: Sampler, target: Jump, question: Question, implied: tuple[bool, bool]) -> Outcome:
    """A step is a crossing where the lead on both sides of it is confirmed by launches, or implied.

    Args:
        sampler: what was measured.
        target: the step.
        question: with the confidence.
        implied: for each side, whether a change of the lead that the launches did confirm, in the same segment and
            away from the step, leaves no doubt about who leads beside it.
    """
    wanted = target.before, target.after
    confirmed = tuple(confirmed_sign(sampler, n, question) for n in (target.left, target.right))
    if all(sign in (0, want) and (sign or also) for sign, want, also in zip(confirmed, wanted, implied, strict=True)):
        crossing = Crossing(target.right, target.left, target.right, leader(target.after), question.confidence, "step")
        if confirmed == wanted:
            return (
                Outcome("crossing", crossing)
                if target.declared
                else _found_step_outcome(sampler, target, crossing, question)
            )
        sides = " and ".join(
            f"{n:,}" for n, sign in zip((target.left, target.right), confirmed, strict=True) if not sign
        )
        note = f"who leads at N = {sides} follows from the crossover beside it; by itself it was undecided"
        return Outcome("crossing", crossing, notes=(note,))
    note = f"possible crossover at the step from N = {target.left:,} to {target.right:,}, not confirmed by the launches"
    return Outcome("open", notes=(note,), span=(target.left, target.right))


def _found_step_outcome(sampler: Sampler, target: Jump, crossing: Crossing, question: Question) -> Outcome:
    """A crossing at a step that was only found: where a side's lead is slight, the interval goes on to a clear one.

    The two sides were picked because they differ, so that a slight lead there may be theirs alone and not their
    neighbours', and the next run, which measures at other N, would contradict an interval that ends at them.
    """
    low = _first_clear_lead(
        sampler, [n for n in reversed(sampler.visited) if n <= target.left], target.before, question
    )
    high = _first_clear_lead(sampler, [n for n in sampler.visited if n >= target.right], target.after, question)
    if (low, high) == (target.left, target.right):
        return Outcome("crossing", crossing)
    note = (
        f"the lead changes at a step found between N = {target.left:,} and {target.right:,}, but is slight beside it: "
        "the interval ends where it is clear"
    )
    crossing = replace(crossing, low=low, high=high, kind="smooth")
    return Outcome("crossing", crossing, (note,), is_wider(crossing, question.goal))


def _first_clear_lead(sampler: Sampler, outwards: Sequence[int], sign: Sign, question: Question) -> int:
    """The first N at which the launches confirm a lead of half the precision; the first of all where there is none."""
    noise = sampler.noise()
    for n in outwards:
        if abs(math.log(n / outwards[0])) > REACH:
            break
        confirmed = confirmed_sign(sampler, n, question)
        if confirmed == -sign:
            break
        if (
            confirmed
            and sign * launch_interval(sampler.by_launch(n, 1), noise, question.confidence)[0] > question.goal / 2
        ):
            return n
    return outwards[0]


def leader(after: int) -> Direction:
    """Who leads where the sign of the log-ratio is this."""
    return "challenger" if after > 0 else "baseline"


def is_wider(crossing: Crossing, goal: float) -> bool:
    """Whether its interval is wider than was wanted, apart from what rounding outwards costs."""
    return crossing.high - crossing.low > 2 and math.log(crossing.high / (crossing.low + 1)) / 2 > goal


def smooth_outcome(sampler: Sampler, aim: Aim, question: Question) -> Outcome:
    """The interval of a smooth crossing from the confirming launches."""
    target = aim.target
    fitted, notes = _final_fit(sampler, aim, question)
    name = f"between N = {target.low:,} and {target.high:,}"
    ends = target.low, target.high
    if fitted is None:
        opened = target.before * target.after == 0 and _confirmed_ends(sampler, target, question)
        return Outcome("open" if opened else "lacking", notes=(f"too few confirming pairs {name}",), span=ends)
    local = fitted.curve
    if local.launches < question.least_launches:
        seen = f"{local.launches} of {question.launches} launches measured the change of the lead {name}"
        return Outcome("lacking", notes=(f"{seen}: its interval needs {question.least_launches}",), span=ends)
    if target.before * target.after == 0:
        outcome = _end_outcome(fitted, target, question.stretch)
        if outcome is not None:
            return outcome
    interval, root = local.crossing_interval(), local.root()
    after = target.after or -target.before
    if root is None or interval is None or not all(map(math.isfinite, interval)) or local.coefficients[1] * after <= 0:
        note = no_interval(sampler.observations().within(*aim.window, 1), local, question, name)
        return Outcome("open", notes=(*notes, note), span=ends, fitted=fitted)
    low, high = _rounded_outwards(interval, target, question)
    loose = local.crossing_interval(question.stretch) or interval
    span = _rounded_outwards(
        (max(loose[0], math.log(target.low)), min(loose[1], math.log(target.high))), target, question
    )
    span = min(low, span[0]), max(high, span[1])
    heads = min(max(math.ceil(math.exp(root) - 1e-9), low + 1), high)
    crossing = Crossing(heads, low, high, leader(after), question.confidence, "smooth")
    return Outcome("crossing", crossing, tuple(notes), is_wider(crossing, question.goal), span=span, fitted=fitted)


def _confirmed_ends(sampler: Sampler, target: Smooth, question: Question) -> bool:
    """Whether launches measured both ends of a bracket often enough to tell who leads there."""
    return all(len(sampler.by_launch(n, 1)) >= question.least_launches for n in (target.low, target.high))


def no_interval(seen: Observations, local: LocalFit, question: Question, name: str) -> str:
    """Why there is no finite interval: a disturbed launch, launches that differ, pairs that do, or costs that do not."""
    if seen.heads.size == 0:
        return f"no finite interval {name}: the two costs are nearly parallel"
    strays = seen.log_ratio - local.value(np.log(seen.heads.astype(np.float64)))
    levels = {int(one): median(strays[seen.launch == one]) for one in np.unique(seen.launch)}
    middle = median(np.array(list(levels.values())))
    off = {one: level - middle for one, level in levels.items()}
    others = MAD_TO_SD * median(np.abs(np.array(list(off.values()))))
    worst = max(off, key=lambda one: abs(off[one]))
    tells = abs(local.coefficients[1]) * math.log(
        max(seen.heads.max() / seen.heads.min(), 2)
    )  # what the costs change by
    if len(off) > 3 and abs(off[worst]) > max(DISTURBED * others, 2 * question.goal):
        return (
            f"launch {worst} was disturbed {name}: its ratio lies {math.expm1(abs(off[worst])):.0%} from that of the others; "
            "run again, or give it more time"
        )
    if local.between > max(question.goal, tells / 2):
        return (
            f"launches differ by {math.expm1(local.between):.0%} {name}, more than the costs do: no interval is finite"
        )
    if local.noise / math.sqrt(max(local.pairs, 1)) > question.goal / 2:
        return f"pairs differ by {math.expm1(local.noise):.0%} {name}: there are too few of them for an interval"
    return f"no finite interval {name}: the two costs are nearly parallel"


def _rounded_outwards(interval: tuple[float, float], target: Smooth, question: Question) -> tuple[int, int]:
    """An interval of log N rounded outwards to whole N inside the range, and not beyond a step next to the target."""
    low, high = math.floor(math.exp(interval[0]) + 1e-9), math.ceil(math.exp(interval[1]) - 1e-9)
    low = max(low, question.low, target.low - 1 if target.step_before else question.low)
    high = min(high, question.high, target.high + 1 if target.step_after else question.high)
    if high <= low:
        low, high = (low, low + 1) if low < question.high else (high - 1, high)
    return low, high


def _final_fit(sampler: Sampler, aim: Aim, question: Question) -> tuple[Fitted | None, list[str]]:
    def fitted(low: int, high: int) -> Fitted | None:
        seen = sampler.observations().within(low, high, 1)
        local = fit(seen, aim.log_centre, aim.slope, aim.noise, question.confidence, planned=question.launches)
        return None if local is None else Fitted(int(local.seen.heads[0]), int(local.seen.heads[-1]), local)

    low, high = aim.window
    local = fitted(low, high)
    if local is None or local.curve.misfit > MISFIT_LEVEL:
        return local, []
    note = (
        f"the local curve does not fit what was seen between N = {low:,} and {high:,} (p = {local.curve.misfit:.2g}): "
        "there may be a step that was not declared, or a bend; the window was narrowed"
    )
    narrow = fitted(*replace(aim, stride=aim.stride / 2).window)
    enough = narrow is not None and narrow.curve.launches >= question.least_launches
    interval = narrow.curve.crossing_interval() if narrow is not None and enough else None
    return (narrow if interval and all(map(math.isfinite, interval)) else local), [note]


def _end_outcome(fitted: Fitted, target: Smooth, stretch: float) -> Outcome | None:
    """Whether the crossing lies outside the range; None where it lies inside."""
    local = fitted.curve
    end = target.high if target.after == 0 else target.low
    inner = target.before if target.after == 0 else target.after
    level, half = float(local.value(math.log(end))), float(local.half_width(math.log(end)))
    if level * inner > half:
        beyond = _crossing_beyond(local, math.log(end)) if target.after == 0 and not target.edge else None
        return Outcome("none", beyond=beyond, fitted=fitted)
    if level * inner < -half:
        return None
    note = f"who leads at N = {end:,} is undecided: the log-ratio there is {level:+.3f} ± {half:.3f}"
    return Outcome("open", notes=(note,), span=_undecided_span(fitted, target, inner, stretch), fitted=fitted)


def _undecided_span(fitted: Fitted, target: Smooth, inner: int, stretch: float) -> tuple[int, int]:
    """From the undecided end of a target to where its curve says for sure that the other end's leader leads."""
    end, far, furthest = (
        (target.high, target.low, fitted.low) if target.after == 0 else (target.low, target.high, fitted.high)
    )
    logs = np.linspace(math.log(end), math.log(furthest), UNSURE_POINTS)
    unsure = np.flatnonzero(fitted.curve.value(logs) * inner <= stretch * fitted.curve.half_width(logs))
    last = int(unsure[-1]) if unsure.size else 0
    if last == UNSURE_POINTS - 1:
        return min(end, far), max(end, far)
    where = math.exp(logs[last + 1])
    return (math.floor(where), end) if target.after == 0 else (end, math.ceil(where))


def _crossing_beyond(local: LocalFit, log_end: float) -> tuple[float, float, float] | None:
    """Where the fitted curve crosses behind the range's end, with the model's interval; None where it is unbounded."""
    root, interval = local.root(), local.crossing_interval()
    if root is None or interval is None or root <= log_end or not all(map(math.isfinite, interval)):
        return None
    return math.exp(root), math.exp(interval[0]), math.exp(interval[1])
