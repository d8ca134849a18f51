"""Locate the N at which one contender overtakes the other, with an interval that holds as often as it says.

    def measure(heads, rounds, launch):
        return [Pair(baseline_seconds, challenger_seconds) for _ in range(rounds)]

    location = locate(measure, 1, 100_000, steps=(10, 40, 160, 640, 2_560, 10_240, 40_960))

What is analysed is log(baseline / challenger) of pairs timed next to each other, so that drift which both contenders share
cancels. The search is pure (it knows no clock, process or file), seeded, and assumes of the machine only that times are
positive. Its stages, each a module:

1. `bracketing`: both sides of every declared step, else a geometric ladder, are probed in random order; `sign_test` decides
   each sequentially with a robust, guarded bound, and an undecided probe stays undecided.
2. `confirmation.refine`: within launch 0, a local model narrows each change of sign down.
3. `confirmation`: launches 1 to k measure both sides of each estimate; the number of pairs is computed from the width
   wanted, not found by peeking (which spoils coverage: Armitage, McPherson and Rowe, J. R. Stat. Soc. A 132, 1969).
4. `local_model`: the local model near N*, robust to outliers (Huber, Robust Statistics, 1981), with the launch as the
   unit: launches are combined as studies are in a meta-analysis (DerSimonian and Laird, Control. Clin. Trials 7, 1986;
   Hartung and Knapp, Stat. Med. 20, 2001) and the wider of their interval and the model's is stated; it holds every N
   at which equal cost is not rejected (Fieller, J. R. Stat. Soc. B 16, 1954). That a fresh process is the unit of
   evidence is the lesson of Kalibera and Jones (Rigorous benchmarking in reasonable time, ISMM 2013).
5. `audit`: lack of fit, steps that were not declared, declared ones that cannot be seen, weak signs.
6. `conclusion`: the answer, or what it lacks.

`docs/method.md` says what is assumed, what the intervals mean, and how well they hold in simulation.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, TypedDict

from harness.search.adaptive import Search
from harness.search.conclusion import conclude
from harness.search.confirmation import Question
from harness.search.result import (
    BudgetSpent,
    Location,
    Measure,
    Progress,
)
from harness.search.sampler import SAMPLES_A_PAIR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_SAMPLES = 20_000  # timed samples of one search without a budget


class GridOptions(TypedDict, total=False):
    """What every search can be given beside its range; see `locate`."""

    steps: Sequence[int]
    precision: float
    confidence: float
    budget: int | None
    launches: int
    seed: int
    on_progress: Callable[[Progress], None] | None


class SearchOptions(GridOptions, total=False):
    """What a search that chooses its N can be given, too."""

    prior: Location | None
    further: int


def locate(
    measure: Measure,
    low: int,
    high: int,
    *,
    steps: Sequence[int] = (),
    precision: float = 0.05,
    confidence: float = 0.95,
    budget: int | None = None,
    launches: int = 8,
    seed: int = 0,
    prior: Location | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    further: int = 0,
) -> Location:
    """Find where in [low, high] the lead changes between a baseline and a challenger.

    Args:
        measure: `measure(heads, rounds, launch)` returns exactly `rounds` pairs of seconds per call (`Pair`, or plain
            (baseline, challenger) tuples), in time order. Launches come in ascending order and are never revisited:
            launch 0 explores, 1 to `launches` decide. It may raise `Unmeasurable` (that N is left out) and
            `BudgetSpent` (the search ends 'unresolved' with what it has: the crossings that enough launches had
            confirmed by then, and the best bracket).
        low: smallest N, at least 1.
        high: largest N.
        steps: the largest N before each known jump of a contender's cost; those outside [low, high) are ignored, noted
            (one at `high` says that steps are known and none lies inside). Without any, the search is in its weaker
            mode, and says so.
        precision: half-width wanted, as a share of N: log(high / low) / 2 <= log1p(precision). Where launches differ
            too much for it, the interval that was reached is stated with a note.
        confidence: of each interval.
        budget: the largest number of timed samples (two a pair). No search takes more than `MOST_SAMPLES`: that holds
            without a budget, and where a larger one is given, which a note says.
        launches: how many launches confirm; six to eight are good, with one the interval rests on pairs alone.
        seed: of everything random (the order of visits).
        prior: an answer for another batch size, or what its search has seen so far: any status will do. Its `probes`
            say where a large lead is expected, so that one pair which agrees is enough there; nothing is expected near
            its `crossings`, estimates included, or, without any, near its `bracket`. A small budget looks there
            first. Nothing of it enters an interval, so that a wrong one costs a few samples at most.
        on_progress: called with a `Progress` after every batch of pairs, and once more at the end.
        further: launches more, where an answer is still open: they are looked at once, when all of them were measured or
            `measure` has raised `BudgetSpent`, which ends them and leaves no mark.

    Returns:
        The answer; the same for the same seed and the same times, byte for byte.

    Raises:
        ValueError: a question that makes no sense, or times that are not positive, finite and as many as asked for.
    """
    question = checked_question(
        low, high, known=bool(steps), precision=precision, confidence=confidence, budget=budget, launches=launches
    )
    declared = sorted({whole_number("a step", step) for step in steps} - {question.high})  # one there needs no note
    inside = [step for step in declared if question.low <= step < question.high]
    search = Search(question, inside, measure, seed, prior, on_progress)
    if len(inside) < len(declared):
        search.notes.append(
            f"{len(declared) - len(inside)} declared steps lie outside N = {low:,} to {high:,} and were ignored"
        )
    if budget is not None and budget > MOST_SAMPLES:
        most = f"a search ends after {MOST_SAMPLES:,} at the latest"
        search.notes.append(f"a budget of {budget:,} samples was given: {most}")
    lacking = None
    try:
        search.explore()
        search.confirm()
    except BudgetSpent as error:
        lacking = str(error) or "the caller's budget is spent"
    seen = dict(search.signs)
    location = conclude(search, lacking)
    if further and lacking is None and location.status == "unresolved":
        search.signs = seen
        if search.extend(further):
            location = conclude(search, None)
    search.stage = "done"
    if on_progress is not None:
        on_progress(search.progress())
    return location


def checked_question(
    low: int,
    high: int,
    *,
    known: bool,
    precision: float = 0.05,
    confidence: float = 0.95,
    budget: int | None = None,
    launches: int = 8,
    **others: object,  # noqa: ARG001 - options that are no part of the question
) -> Question:
    """The question, checked; `known` says whether steps are.

    Raises:
        ValueError: it makes no sense; the sentence says why.
    """
    low, high, launches = whole_number("low", low), whole_number("high", high), whole_number("launches", launches)
    limit = MOST_SAMPLES if budget is None else whole_number("budget", budget)
    problems = {
        f"low is {low}: N starts at 1": low < 1,
        f"low ({low:,}) must be below high ({high:,})": low >= high,
        f"high is {high:,}: beyond 2^53 floating-point numbers cannot represent every integer": high > 2**53,
        f"precision is {precision}: give a positive share, such as 0.05": not 0 < precision < math.inf,
        f"confidence is {confidence}: give a number between 0 and 1, such as 0.95": not 0 < confidence < 1,
        f"launches is {launches}: at least one launch must confirm, and eight are better": launches < 1,
        f"budget is {budget}: one pair costs two samples": limit < SAMPLES_A_PAIR,
    }
    for sentence, wrong in problems.items():
        if wrong:
            raise ValueError(sentence)
    return Question(low, high, precision, confidence, launches, min(limit, MOST_SAMPLES), limit >= MOST_SAMPLES, known)


def whole_number(name: str, number: int) -> int:
    """`number` as an int.

    Raises:
        ValueError: it is not a whole number.
    """
    if isinstance(number, bool):
        raise ValueError(f"{name} is {number}: give a whole number")  # noqa: TRY004  one kind of error for bad input
    try:
        return operator.index(number)
    except TypeError:
        raise ValueError(f"{name} is {number!r}: give a whole number") from None
