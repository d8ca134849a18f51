"""A race between plain functions, in fresh processes with real clocks."""

from __future__ import annotations

import math
import operator
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypedDict, Unpack, overload

from harness.analysis.answer import RaceAnswer, race_answer
from harness.analysis.standings import Standings, standings
from harness.errors import ResourceError, UserError
from harness.functions.callee import Callee, as_callee, named
from harness.functions.trial import DEADLINE_SECONDS as PATIENCE_SECONDS
from harness.plan import plan as planning
from harness.plan.function_groups import FunctionGroup, distinct, suite_of
from harness.plan.workload_functions import offered
from harness.run import session
from harness.run.listeners import Silent
from harness.suite.schema import LONGEST, Measurement, Search
from harness.units import LARGEST, TOO_LARGE
from harness.validation import suggestion

if TYPE_CHECKING:
    from harness.plan.plan import Plan
    from harness.records.crossovers import SearchRecord

DEADLINE_SECONDS = 20.0  # at one n: functions that take longer are rarely raced there
BY_VALUE: Final = "by value"  # arrays within rounding, everything else by ==
Function: TypeAlias = str | Callable[..., Any]


class Settings(TypedDict, total=False):
    """What a race may be given beside its functions."""

    low: int  # smallest n, at least 1; 1 if absent
    high: int  # largest n; 1,000,000 if absent
    sizes: Sequence[int] | None
    """A list of n in place of `low` and `high`. The search visits n between them, too, where the functions work there."""
    batch: int  # second argument of functions of (n, batch)
    steps: Sequence[int]  # the largest n before each known jump of a cost; those outside the range are left out
    precision: float  # half-width wanted, as a share of N*; 0.05 if absent
    launches: int  # fresh processes of each that enter the interval, at least 2; 8 if absent
    budget: int | None  # maximum number of timed samples
    seconds: float | None  # time limit from the call on; what still runs then is stopped
    deadline: float
    """Seconds that a function may take at one n, to get ready and to be timed a few times; n that would take longer, by the
    growth so far, are skipped."""
    threads: int | Sequence[int]  # of each function, and cores reserved for it; 1 if absent
    gap: float  # mean pause before each launch, in seconds
    seed: int  # of everything random
    name: str  # of the race, in answers, in `harness history` and `harness compare`
    size_label: str  # what n counts, on axes: "n, samples"
    output: str | Path | None  # new folder for the records; they are not kept if absent
    plugins: Sequence[
        str | Path
    ]  # files with workloads, beside what is installed, for functions named `workload:function`


_DEFAULTS: Final[Settings] = {
    "low": 1,
    "high": 1_000_000,
    "batch": 1,
    "steps": (),
    "precision": 0.05,
    "launches": 8,
    "budget": None,
    "seconds": None,
    "deadline": DEADLINE_SECONDS,
    "threads": 1,
    "gap": 0.0,
    "seed": 0,
    "name": "",
    "size_label": "",
    "sizes": None,
    "output": None,
    "plugins": (),
}
_ELSEWHERE: Final = {  # words of perfplot, timeit and others
    "kernels": "give the functions first: race([f, g], ...)",
    "n_range": "write sizes=[...]",
    "ns": "write sizes=[...]",
    "equality_check": "write equal=...",
    "xlabel": "write size_label=...",
    "title": "write name=...",
    "names": "write labels=[...]",
    "max_time": "write seconds=... for the whole race, or deadline=... for one n",
    "target_time_per_measurement": "leave it out: how long a function is timed is found out",
    "show_progress": "leave it out",
    "logx": "leave it out: n has a logarithmic axis",
    "logy": "leave it out: times have a logarithmic axis",
    "relative_to": "leave it out: functions are compared with each other",
}


@overload
def race(
    baseline: Function,
    challenger: Function,
    *,
    labels: Sequence[str] = ...,
    setup: Function | None = ...,
    equal: Function | None = ...,
    **settings: Unpack[Settings],
) -> RaceAnswer: ...


@overload
def race(
    baseline: Sequence[Function] | Mapping[str, Function],
    *,
    labels: Sequence[str] = ...,
    setup: Function | None = ...,
    equal: Function | None = ...,
    **settings: Unpack[Settings],
) -> Standings: ...


def race(
    baseline: Function | Sequence[Function] | Mapping[str, Function] = (),
    challenger: Function | None = None,
    *,
    labels: Sequence[str] = (),
    setup: Function | None = None,
    equal: Function | None = BY_VALUE,
    **settings: Unpack[Settings],
) -> RaceAnswer | Standings:
    """Locate the n at which one function overtakes another, with real clocks and fresh processes.

    In four lines, in a notebook or in a module::

        def signals(n, seed):
            generator = numpy.random.default_rng(seed)
            return generator.standard_normal(n), generator.standard_normal(n)

        print(harness.race(direct, fft, setup=signals, low=8, high=100_000).crossings)

    Args:
        baseline: a function, or `module:function` of the current folder; a list of them, or a mapping from the names that
            answers use, to race each against each.
        challenger: the same, expected to lead at large n.
        labels: names of the functions in answers, in their order; their own if absent.
        setup: makes the input of one call from (n, seed), off the clock; a tuple is passed as separate arguments to a
            function that does not take it as one. Without `setup`, functions are called with (n, batch) or with n.
        equal: (a, b) -> whether two outputs are the same; by default arrays within rounding, everything else by `==`. None:
            outputs are not compared, and the answer says so.
        **settings: see `Settings`.

    Returns:
        The answer, a `Location` that prints as a sentence; 'unresolved' with its best bracket where the budget did not
        suffice. For a list or a mapping: `Standings`, who leads where.

    Raises:
        UserError: an invalid question, or a function that is missing, fails at the smallest n, or returns something else
            than the other one, or a generator.
        ResourceError: where memory or disk do not suffice.
    """
    _refuse_unknown_settings(settings)
    output = settings.get("output")
    labels, functions = _named(baseline, challenger, labels)
    made = plan(functions, labels=labels, setup=setup, equal=equal, table=False, **settings)
    if output is not None:
        found = _answer(made, Path(output))
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = _answer(made, Path(folder) / "run")
    names = dict(zip(made.specifications, labels or made.specifications, strict=True))
    if challenger is not None:
        return race_answer(found[0], names[found[0].case.baseline], names[found[0].case.challenger])
    return standings(found, names)


def plan(
    functions: Sequence[Function],
    *,
    labels: Sequence[str] = (),
    setup: Function | None = None,
    equal: Function | None = BY_VALUE,
    table: bool = True,
    **settings: Unpack[Settings],
) -> Plan:
    """The plan of such a race, its functions tried; the arguments are those of `race`.

    Raises:
        UserError: as `race` does.
    """
    began = time.monotonic()
    _refuse_unknown_settings(settings)
    given: dict[str, Any] = {**_DEFAULTS, **settings}
    if len(functions) < 2:
        raise UserError("a race needs two functions", next_step="name another one")
    if labels and len(labels) != len(functions):
        raise UserError(
            f"labels are given for {len(labels)} of {len(functions)} functions", next_step="give one for each"
        )
    if len(set(labels)) < len(labels):
        raise UserError(f"labels are not distinct: {', '.join(labels)}", next_step="give each function its own label")
    sizes = _sizes(settings)
    if sizes:
        given["low"], given["high"] = sizes[0], sizes[-1]
    seconds, deadline, gap, precision = (given[name] for name in ("seconds", "deadline", "gap", "precision"))
    low, high, batch, launches = (_whole_number(given[name]) for name in ("low", "high", "batch", "launches"))
    steps = [_whole_number(each) for each in given["steps"]]
    threads = _threads(given["threads"], len(functions))
    budget = None if given["budget"] is None else _whole_number(given["budget"])
    problems = {
        (f"the range begins at {low:,}", "n starts at 1"): low < 1,
        (f"the range from {low:,} to {high:,} is empty", "low must be smaller than high"): low >= high,
        (f"the range ends at {high:,}, above {LARGEST:,}", TOO_LARGE): high > LARGEST,
        (f"batch must be at least 1, got {batch:,}", "give 1 or more"): batch < 1,
        (f"threads must be at least 1, got {min(threads)}", "give 1 or more"): min(threads) < 1,
        (f"precision must be between 0 and 1, got {precision:g}", "0.05 asks for 5 %"): not 0 < precision < 1,
        (f"launches must be between 2 and 64, got {launches}", "the default is 8"): not 2 <= launches <= 64,
        (f"budget must be at least 2 samples, got {budget}", "give 2 or more, or leave it out"): budget is not None
        and budget < 2,
        (f"seconds must be positive, got {seconds}", "give more than 0, or leave it out"): seconds is not None
        and not seconds > 0,
        (f"seconds must be a finite number, got {seconds}", "leave it out for no limit"): seconds == math.inf,
        (f"deadline must be positive, got {deadline}", "give more than 0 seconds"): not deadline > 0,
        (f"gap must not be negative, got {gap:g}", "give 0 seconds or more"): not gap >= 0,
        (f"deadline and gap must be at most {LONGEST:,.0f} s", "give a shorter one"): max(deadline, gap) > LONGEST,
    }
    for (what, next_step), wrong in problems.items():
        if wrong:
            raise UserError(what, next_step=next_step)
    how = Measurement(
        launches=launches,
        latency_calls=0,
        rounds=3,
        min_sample_seconds=0.002,
        deadline_seconds=deadline,
        gap_seconds=gap,
        table=table,
    )
    offers = offered(functions, [Path(each) for each in given["plugins"]], low, high, labels)
    if offers is not None:
        if setup is not None or equal not in (None, BY_VALUE):
            raise UserError(
                "a workload makes and compares its own inputs and outputs", next_step="leave setup and equal out"
            )
        found, declared = offers
        found, steps = replace(found, compared=equal is not None), steps or list(declared)
    else:
        found = FunctionGroup(
            functions=distinct([_callee(each) for each in functions], labels),
            setup=_callee(setup) if setup is not None else None,
            equal=_callee(equal) if equal not in (None, BY_VALUE) else None,
            compared=equal is not None,
        )
    suite = suite_of(
        found,
        low=low,
        high=high,
        batch=batch,
        how=how,
        search=Search(precision=precision, budget_samples=budget, budget_seconds=seconds, regret=False),
        seed=given["seed"],
        threads=threads,
        name=given["name"],
        size_label=given["size_label"],
        sizes=sizes,
    )
    return planning.plan_functions(
        found,
        suite,
        steps=steps,
        sizes=sizes,
        until=began + seconds if seconds is not None else None,
        deadline_seconds=min(seconds or math.inf, PATIENCE_SECONDS),
    )


def _refuse_unknown_settings(settings: Mapping[str, Any]) -> None:
    """Whether all settings are known: a misspelt one would be left out without a word.

    Raises:
        UserError: for the first that is not.
    """
    known = [*Settings.__annotations__, "setup", "equal", "labels"]
    for name in settings:
        if name not in known:
            hint = _ELSEWHERE.get(name) or suggestion(name, sorted(known))
            raise UserError(f"race has no setting {name!r}", next_step=hint)


def _sizes(settings: Settings) -> list[int]:
    """The n of the list that was given, distinct and ascending; none where a range was given.

    Raises:
        UserError: where there are both, or a list that is not a range.
    """
    given = settings.get("sizes")
    if given is None:
        return []
    if "low" in settings or "high" in settings:
        raise UserError("sizes excludes low and high", next_step="give one of them")
    sizes = sorted({_whole_number(each) for each in given})
    if len(sizes) < 2:
        raise UserError(
            "sizes holds fewer than two different n", next_step="give at least the smallest and the largest n"
        )
    return sizes


def _named(
    baseline: Function | Sequence[Function] | Mapping[str, Function], challenger: Function | None, labels: Sequence[str]
) -> tuple[Sequence[str], Sequence[Function]]:
    """(labels, functions) of all functions; no labels where the functions' own names are used."""
    if labels and isinstance(baseline, Mapping):
        raise UserError("labels are given twice: the mapping has names already", next_step="leave labels out")
    if challenger is not None:
        if isinstance(baseline, Mapping) or not (isinstance(baseline, str) or callable(baseline)):
            raise UserError("a list of functions excludes a challenger", next_step="put all functions into the list")
        return labels, (baseline, challenger)
    if isinstance(baseline, Mapping):
        return list(baseline), list(baseline.values())
    if isinstance(baseline, str) or callable(baseline):
        raise UserError("a race needs two functions", next_step="race(baseline, challenger), or race([a, b, c])")
    return labels, list(baseline)


def _callee(function: Function) -> Callee:
    return named(function) if isinstance(function, str) else as_callee(function)


def _threads(given: int | Sequence[int], functions: int) -> list[int]:
    """One number for each function.

    Raises:
        UserError: where there are neither as many as functions, nor one for all.
    """
    found = [_whole_number(each) for each in (given if isinstance(given, Sequence) else [given])]
    if len(found) not in (1, functions):
        raise UserError(
            f"threads are given for {len(found)} of {functions} functions",
            next_step="give one number for all of them, or one for each",
        )
    return found if len(found) == functions else found * functions


def _whole_number(number: int) -> int:
    """A number as Python's own int, whatever kind of whole number it is.

    Raises:
        UserError: where it is not whole.
    """
    try:
        return operator.index(number)
    except TypeError:
        raise UserError(f"{number!r} is not a whole number", next_step="write 1000000 or int(1e6)") from None


def _answer(made: Plan, folder: Path) -> list[SearchRecord]:
    """The answers of all pairs, with what the run has to say about its functions."""
    outcome = session.run(made, folder, Silent())
    if outcome.interrupted:
        raise KeyboardInterrupt
    found = [search.located for search in outcome.summary.searches if search.located is not None]
    if len(found) < len(outcome.summary.searches) or not found:
        raise ResourceError("the race ended without an answer", where=str(folder))
    notes = tuple(dict.fromkeys([*made.warnings, *outcome.summary.run.warnings]))
    return [replace(each, location=replace(each.location, notes=(*each.location.notes, *notes))) for each in found]
