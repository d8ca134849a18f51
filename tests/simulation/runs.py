"""Run the search many times on a fake machine and keep what a figure needs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.search import BudgetSpent, Location, locate
from tests.simulation import curves as catalogue
from tests.simulation.fake_machine import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.search.result import Measure
    from tests.simulation.curves import Curves

# Pairs as quiet as real ones, and processes that are off for where their arrays lie, at all N and at one.
PLACED = {"sigma": 0.02, "launch_effect": 0.02, "launch_heads_effect": 0.02}
QUIET = {"sigma": 0.02, "launch_effect": 0.01, "launch_heads_effect": 0.01}
STEP_WORDS = ("step", "fit")  # a note that says either has flagged the declared steps


@dataclass(frozen=True)
class Case:
    """Rivals, machine and question of one cell of the table. `curves` names an attribute of `curves.py`."""

    curves: str
    machine: Mapping[str, float] = field(default_factory=dict)
    question: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[int, ...] | None = None  # declared instead of the true ones
    span: tuple[int, int] | None = None
    last: int | None = None  # the launch after which the caller's time is over

    def rivals(self) -> Curves:
        """The curves over the range of this case."""
        rivals: Curves = getattr(catalogue, self.curves)
        return rivals.between(*self.span) if self.span else rivals

    def __str__(self) -> str:
        words = [self.rivals().name, *(f"{key}={value:g}" for key, value in self.machine.items())]
        words += [f"{key}={value}" for key, value in self.question.items()]
        words += [f"N={self.span[0]:,}..{self.span[1]:,}"] if self.span else []
        words += [f"ended after launch {self.last}"] if self.last is not None else []
        return " ".join(words)


@dataclass(frozen=True)
class Run:
    """One search, summarised."""

    status: str
    intervals: tuple[tuple[int, int, int], ...]  # heads, low, high
    bracket: tuple[int, int] | None
    samples: int
    distinct: int
    flagged: bool  # a note doubts the steps or the fit
    covered: bool  # every true crossing lies in its interval, and no other is stated
    decided: bool = False  # whether there is a decision
    held: bool = False  # it holds every true crossing
    bounded: bool = False  # and neither rival leads inside by more than it says
    at_most: float = math.nan

    @property
    def resolved(self) -> bool:
        """Whether a crossing is claimed."""
        return self.status in {"crossing", "several"}


def search(case: Case, seed: int) -> tuple[Location, FakeMachine]:
    """One search of this case."""
    rivals = case.rivals()
    machine = FakeMachine(rivals.baseline, rivals.challenger, seed=seed, **dict(case.machine))
    steps = rivals.steps if case.steps is None else case.steps
    measure = machine.measure if case.last is None else until(machine, case.last)
    return locate(measure, rivals.low, rivals.high, steps=steps, seed=seed, **dict(case.question)), machine


def until(machine: FakeMachine, last: int) -> Measure:
    """The machine's measure for a caller whose time is over after this launch."""

    def measure(heads: int, rounds: int, launch: int) -> list[tuple[float, float]]:
        if launch > last:
            raise BudgetSpent("the time is over")
        return machine.measure(heads, rounds, launch)

    return measure


def summarised(location: Location, machine: FakeMachine, rivals: Curves) -> Run:
    """What the figures need of one search."""
    truth, decision = rivals.truth, location.decision
    assert machine.samples == location.samples
    notes = [note for note in location.notes if not note.startswith("steps were not declared")]
    intervals = tuple((crossing.heads, crossing.low, crossing.high) for crossing in location.crossings)
    return Run(
        location.status,
        intervals,
        location.bracket,
        location.samples,
        len(location.probes),
        any(word in note for note in notes for word in STEP_WORDS),
        _hold(intervals, truth),
        decision is not None,
        decision is not None and all(decision.below <= place <= decision.above for place in truth),
        decision is not None and largest_lead(rivals, decision.below, decision.above) <= decision.at_most,
        decision.at_most if decision is not None else math.nan,
    )


def largest_lead(rivals: Curves, low: int, high: int) -> float:
    """The largest true lead of either rival from one N to another, as a share."""
    ladder = {round(low * (high / low) ** (i / 200)) for i in range(201)}
    beside = {n for step in rivals.steps for n in (step, step + 1) if low <= n <= high}
    return max(math.expm1(abs(math.log(rivals.baseline(n) / rivals.challenger(n)))) for n in ladder | beside)


def run_many(case: Case, seeds: range) -> list[Run]:
    """The searches of these seeds."""
    rivals = case.rivals()
    return [summarised(*search(case, seed), rivals) for seed in seeds]


def covers(run: Run, truth: tuple[float, ...]) -> bool:
    """Whether every true crossing lies in its stated interval, and none is stated beside them."""
    return _hold(run.intervals, truth)


def _hold(intervals: tuple[tuple[int, int, int], ...], truth: tuple[float, ...]) -> bool:
    return len(intervals) == len(truth) and all(
        low <= place <= high for (_, low, high), place in zip(intervals, truth, strict=True)
    )


def errors(run: Run, truth: tuple[float, ...]) -> list[float]:
    """|log(N / true N)| of every crossing."""
    if len(run.intervals) != len(truth):
        return [math.inf]
    return [abs(math.log(heads / place)) for (heads, _, _), place in zip(run.intervals, truth, strict=True)]
