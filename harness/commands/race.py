"""A race between two plain functions of (n, batch), named `module:function`, in fresh processes with real clocks."""

from __future__ import annotations

import math
import operator
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ResourceError, UserError
from harness.measure.callables import DEADLINE_SECONDS as PATIENCE_SECONDS
from harness.measure.callables import tried
from harness.plan import plan as planning
from harness.run import session
from harness.suite.schema import Measurement, Search
from harness.units import LARGEST, TOO_LARGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.plan.plan import Plan
    from harness.plan.sweep import SearchCase
    from harness.records.measurement import Fidelity
    from harness.records.measurement import Measurement as Record
    from harness.search.crossover import Progress
    from harness.search.result import Location

DEADLINE_SECONDS = 20.0  # at one n: functions that take longer are rarely rivals there


def race(
    baseline: str,
    challenger: str,
    *,
    low: int = 1,
    high: int = 1_000_000,
    batch: int = 1,
    steps: Sequence[int] = (),
    precision: float = 0.05,
    launches: int = 8,
    budget: int | None = None,
    seconds: float | None = None,
    deadline: float = DEADLINE_SECONDS,
    gap: float = 0.0,
    seed: int = 0,
    output: str | Path | None = None,
) -> Location:
    """Locate the n at which one function overtakes another, with real clocks and workers.

    In five lines, with `mine.py` in the present folder::

        found = harness.race("mine:simple", "mine:clever", low=1, high=1_000_000)
        print(found.status, found.crossings)

    Args:
        baseline: `module:function`, a callable of (n, batch) that is importable from the present folder.
        challenger: the same, expected to lead at large n.
        low: smallest n, at least 1.
        high: largest n.
        batch: passed to both as their second argument.
        steps: the largest n before each known jump of a cost; those outside the range are left out.
        precision: half-width wanted, as a share of N*.
        launches: fresh processes of each that enter the interval, at least 2.
        budget: timed samples at the most.
        seconds: after which no more is measured, from the call on: what runs then is ended.
        deadline: seconds that a function may take at one n to get ready and be timed a few times; n at which it would
            take longer, by its growth so far, are skipped.
        gap: mean pause before each launch, in seconds.
        seed: of everything random.
        output: folder for the records, new; they are not kept if absent.

    Returns:
        The answer; 'unresolved' with its best bracket where the budget did not suffice.

    Raises:
        UserError: a question that makes no sense, or a function that is not there or fails at `low`.
        ResourceError: where memory or disk do not suffice.
    """
    made = plan(
        baseline,
        challenger,
        low=low,
        high=high,
        batch=batch,
        steps=steps,
        precision=precision,
        launches=launches,
        budget=budget,
        seconds=seconds,
        deadline=deadline,
        gap=gap,
        seed=seed,
        table=False,
    )
    if output is not None:
        return _answer(made, Path(output))
    with tempfile.TemporaryDirectory() as folder:
        return _answer(made, Path(folder) / "run")


def plan(
    baseline: str,
    challenger: str,
    *,
    low: int,
    high: int,
    batch: int = 1,
    steps: Sequence[int] = (),
    precision: float = 0.05,
    launches: int = 8,
    budget: int | None = None,
    seconds: float | None = None,
    deadline: float = DEADLINE_SECONDS,
    gap: float = 0.0,
    seed: int = 0,
    table: bool = True,
) -> Plan:
    """The plan of such a race, its functions tried; the arguments are those of `race`.

    Raises:
        UserError: as `race` does.
    """
    began = time.monotonic()
    for path in (baseline, challenger):
        module, colon, attribute = path.partition(":") if isinstance(path, str) else ("", "", "")
        if not (module and colon and attribute):
            raise UserError(f"{path!r} does not name a callable", next_step="write module:function")
    low, high, batch, launches = (_whole(each) for each in (low, high, batch, launches))
    steps = [_whole(each) for each in steps]
    budget = None if budget is None else _whole(budget)
    problems = {
        (f"the range begins at {low:,}", "n starts at 1"): low < 1,
        (f"the range from {low:,} to {high:,} is empty", "low must be smaller than high"): low >= high,
        (f"the range ends at {high:,}, above {LARGEST:,}", TOO_LARGE): high > LARGEST,
        (f"batch must be at least 1, got {batch:,}", "give 1 or more"): batch < 1,
        (f"precision must be between 0 and 1, got {precision:g}", "0.05 asks for 5 %"): not 0 < precision < 1,
        (f"launches must be between 2 and 64, got {launches}", "the default is 8"): not 2 <= launches <= 64,
        (f"budget must be at least 2 samples, got {budget}", "give 2 or more, or leave it out"): budget is not None
        and budget < 2,
        (f"seconds must be positive, got {seconds}", "give more than 0, or leave it out"): seconds is not None
        and not seconds > 0,
        (f"deadline must be positive, got {deadline}", "give more than 0 seconds"): not deadline > 0,
        (f"gap must not be negative, got {gap:g}", "give 0 seconds or more"): not gap >= 0,
    }
    for (what, next_step), wrong in problems.items():
        if wrong:
            raise UserError(what, next_step=next_step)
    tried([baseline, challenger], low, batch, deadline_seconds=min(seconds or math.inf, PATIENCE_SECONDS))
    how = Measurement(
        launches=launches,
        latency_calls=0,
        rounds=3,
        min_sample_seconds=0.002,
        deadline_seconds=deadline,
        gap_seconds=gap,
        table=table,
    )
    return planning.plan_functions(
        baseline,
        challenger,
        low=low,
        high=high,
        batch_sizes=[batch],
        steps=steps,
        how=how,
        search=Search(precision=precision, budget_samples=budget, budget_seconds=seconds, regret=False),
        seed=seed,
        until=began + seconds if seconds is not None else None,
    )


def _whole(number: int) -> int:
    """A number as Python's own int, whatever kind of whole number it is.

    Raises:
        UserError: where it is not whole.
    """
    try:
        return operator.index(number)
    except TypeError:
        raise UserError(f"{number!r} is not a whole number", next_step="write 1000000 or int(1e6)") from None


class Silent:
    """A listener that ignores everything."""

    def say(self, text: str) -> None:
        """Nothing."""

    def stage(self, text: str, total: int | None = None) -> None:
        """Nothing."""

    def step(self, text: str = "") -> None:
        """Nothing."""

    def search(self, leg: SearchCase, progress: Progress) -> None:
        """Nothing."""

    def recorded(self, record: Record | Fidelity) -> None:
        """Nothing."""


def _answer(made: Plan, folder: Path) -> Location:
    outcome = session.run(made, folder, Silent())
    if outcome.interrupted:
        raise KeyboardInterrupt
    located = outcome.summary.legs[0].located
    if located is None:
        raise ResourceError("the race ended without an answer", where=str(folder))
    return located.location
