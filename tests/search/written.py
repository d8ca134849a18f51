"""Answers of searches, written down: `python -m tests.search.written` writes them again, where they are meant to change.

Each is the whole answer to one question on one made-up machine with one seed. Whether answers are right is a matter of the
simulations beside it; this is how a change that was not meant to change any of them is seen, to the last pair.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.search import BudgetSpent, Unmeasurable, locate
from harness.search.grid import locate_on_grid
from tests.simulation import curves
from tests.simulation.fake_machine import FakeMachine
from tests.simulation.runs import PLACED, QUIET, Case, search

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.search.result import Location

FILE = Path(__file__).parents[1] / "fixtures" / "answers.json"
OUTLIERS = {"sigma": 0.1, "outliers": 0.1}


def failing(case: Case, seed: int, refused: Callable[[int], bool], **how: Any) -> Location:
    """A search on a machine that cannot measure some N."""
    rivals = case.rivals()
    machine = FakeMachine(rivals.baseline, rivals.challenger, seed=seed, **dict(case.machine))

    def measure(heads: int, rounds: int, launch: int) -> Any:
        if refused(heads):
            raise Unmeasurable(heads, "it does not fit", **how)
        return machine.measure(heads, rounds, launch)

    return locate(measure, rivals.low, rivals.high, steps=rivals.steps, seed=seed, **dict(case.question))


def on_grid(
    name: str, count: int, seed: int, *, last: int | None = None, noise: Mapping[str, float] = QUIET
) -> Location:
    """A search on a grid from 16 to 4,096."""
    rivals = getattr(curves, name).between(16, 4096)
    machine = FakeMachine(rivals.baseline, rivals.challenger, seed=seed, **noise)
    points = [round(n) for n in np.geomspace(rivals.low, rivals.high, count)]

    def measure(heads: int, rounds: int, launch: int) -> Any:
        if last is not None and launch > last:
            raise BudgetSpent("the time is over")
        return machine.measure(heads, rounds, launch)

    return locate_on_grid(measure, rivals.low, rivals.high, points=points, steps=rivals.steps, seed=seed)


def after(name: str, seed: int, other: str = "") -> Location:
    """A search that knows an earlier answer, of these rivals or of others."""
    rivals = getattr(curves, name)
    prior = search(Case(other or name), seed + 1000)[0]
    machine = FakeMachine(rivals.baseline, rivals.challenger, seed=seed)
    return locate(machine.measure, rivals.low, rivals.high, steps=rivals.steps, seed=seed, prior=prior)


def plain(*found: Any, **more: Any) -> Callable[[], Location]:
    """A search of a case."""
    return lambda: search(Case(*found, **more), 0)[0]


QUESTIONS: dict[str, Callable[[], Location]] = {
    "a smooth crossing": plain("SMOOTH"),
    "a steep crossing": plain("STEEP"),
    "an early crossing, quiet": plain("EARLY", QUIET),
    "a shallow crossing, launches differ": plain("SHALLOW", {"launch_effect": 0.03, "launch_heads_effect": 0.01}),
    "outliers": plain("STEEP", OUTLIERS),
    "no steps declared": plain("STEEP", steps=()),
    "wrong steps": plain("STEEP", steps=(10, 100, 1000)),
    "three crossings": plain("THREE"),
    "three crossings, placed": plain("THREE", PLACED, steps=()),
    "an excursion": plain("EXCURSION", QUIET),
    "close to a step": plain("CLOSE", QUIET),
    "slight behind a step": plain("SLIGHT", PLACED),
    "there and back": plain("TOUCH", QUIET),
    "a decade alike": plain("ALIKE_BETWEEN", QUIET),
    "the baseline throughout": plain("BASELINE_FIRST"),
    "the challenger throughout": plain("CHALLENGER_FIRST", QUIET),
    "identical": plain("SAME", QUIET),
    "identical, rough": plain("IDENTICAL"),
    "one per cent apart": plain("APART_1", QUIET),
    "six per cent apart, steps": plain("SAME_WITH_STEPS", QUIET),
    "apart late": plain("APART_LATE", QUIET),
    "a gentle change": plain("GENTLE", QUIET),
    "beyond the range": plain("STEEP", span=(1, 1450)),
    "at the end of the range": plain("STEEP", span=(1, 1483)),
    "a small budget": plain("STEEP", question={"budget": 300}),
    "a budget that is none": plain("STEEP", question={"budget": 10}),
    "few launches": plain("SHALLOW", QUIET, question={"launches": 3, "precision": 0.1}),
    "very sure": plain("SMOOTH", question={"confidence": 0.99, "precision": 0.02}),
    "ended early": plain("STEEP", last=3),
    "ended while it explored": plain("THREE", last=0),
    "a range of few N": plain("THREE", span=(250, 262)),
    "the baseline fails above": lambda: failing(
        Case("CHALLENGER_FIRST"), 1, lambda n: n > 5000, contender="baseline", settles_larger=True
    ),
    "a hole": lambda: failing(Case("STEEP"), 2, lambda n: 300 < n < 900, contender="challenger"),
    "nothing works": lambda: failing(Case("STEEP"), 3, lambda n: True),
    "the crossing lies in a hole": lambda: failing(Case("SMOOTH"), 4, lambda n: 600 < n < 4000, contender="baseline"),
    "a grid": lambda: on_grid("STEEP", 9, 5),
    "a fine grid": lambda: on_grid("SMOOTH", 25, 6),
    "a grid of three crossings": lambda: on_grid("THREE", 17, 7),
    "a grid of rivals alike": lambda: on_grid("IDENTICAL", 9, 8),
    "a grid of one winner": lambda: on_grid("BASELINE_FIRST", 9, 9),
    "a grid that ended early": lambda: on_grid("STEEP", 9, 10, last=2),
    "a grid, rough": lambda: on_grid("SHALLOW", 9, 11, noise={"sigma": 0.2}),
    "an earlier answer": lambda: after("STEEP", 1),
    "an earlier answer that is wrong": lambda: after("STEEP", 2, "SHALLOW"),
    "an earlier answer, three crossings": lambda: after("THREE", 3),
}


def plain_data(value: Any) -> Any:
    """Without types, and with floats of nine digits."""
    if isinstance(value, float):
        return float(f"{value:.9g}") if np.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: plain_data(each) for key, each in value.items()}
    return [plain_data(each) for each in value] if isinstance(value, (list, tuple)) else value


def answered(name: str) -> dict[str, Any]:
    """The answer as plain data; each probe is a row."""
    found = dataclasses.asdict(QUESTIONS[name]())
    found["probes"] = [list(each.values()) for each in found["probes"]]
    return plain_data(found)  # type: ignore[no-any-return]


def main() -> None:
    lines = [f"{json.dumps(name)}: {json.dumps(answered(name))}" for name in QUESTIONS]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
