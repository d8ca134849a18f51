"""Does a workload keep the rules?"""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

from harness.functions.equality import copier, preview, same, snapshot, unconsumed
from harness.plugin.interfaces import Cost
from harness.plugin.interfaces import Workload as Base
from harness.testing.rules import Rules, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.plugin.interfaces import Workload

_SEED = 3


def check_workload(workload: Workload, *, sizes: Sequence[int] = (4, 64), batch: int = 1) -> None:
    """Prepares inputs, calls every function on them, and holds what happens to the rules.

    Args:
        workload: configured with the options to check.
        sizes: n that it can do.
        batch: of the calls.

    Raises:
        ConformanceError: with a sentence for each broken rule.
    """
    rules = Rules(workload)
    describe(rules, workload)
    found = _functions(rules, workload)
    for n in sizes:
        _check_inputs(rules, workload, n, batch)
        outputs = _outputs(rules, workload, found, n, batch)
        _check_equal(rules, workload, outputs, n)
    for name in found:
        _check_steps(rules, workload, name, min(sizes), max(sizes))
        for n in sizes:
            _check_cost(rules, workload, name, n, batch)
    rules.finish()


def _functions(rules: Rules, workload: Workload) -> dict[str, Callable[..., Any]]:
    """The functions that can be called."""
    given: Mapping[str, Any] = {}
    with rules.attempt("rivals", "rivals()"):
        given = dict(workload.rivals())
    if not given:
        rules.expect(bool(rules.broken), "rivals", "rivals() gave nothing; it gives functions by name")
        return {}
    rules.expect(len(given) >= 2, "rivals", f"there is only {', '.join(map(str, given))}; a race needs two")
    for name, function in given.items():
        rules.expect(
            isinstance(name, str) and bool(name) and not any(each.isspace() for each in name),
            "rivals",
            f"a function is called {name!r}; give it a name without blanks",
        )
        rules.expect(
            callable(function), "rivals", f"the function {name!r} is {type(function).__name__}, not a function"
        )
    return {str(name): function for name, function in given.items() if callable(function)}


def _check_inputs(rules: Rules, workload: Workload, n: int, batch: int) -> None:
    """One seed, one input: functions live in processes of their own."""
    with rules.attempt("prepare", f"prepare({n}, {batch}, {_SEED})"):
        first, again = (workload.prepare(n, batch, _SEED) for _ in range(2))
        one, other = snapshot(first), snapshot(again)
        rules.expect(
            one is None or one == other or _like(first, again),
            "determinism",
            f"prepare({n}, {batch}, {_SEED}) gave two inputs; draw from a generator with that seed",
        )


def _like(one: Any, other: Any) -> bool:
    try:
        return same(one, other)
    except Exception:  # noqa: BLE001 - a class of the author's may raise anything
        return False


def _outputs(
    rules: Rules, workload: Workload, found: Mapping[str, Callable[..., Any]], n: int, batch: int
) -> dict[str, Any]:
    """What every function makes of the same input, each of a copy of its own."""
    outputs: dict[str, Any] = {}
    given: Any = None
    with rules.attempt("prepare", f"prepare({n}, {batch}, {_SEED})"):
        given = workload.prepare(n, batch, _SEED)
    copied = copier(given)
    for name, function in found.items():
        with rules.attempt("call", f"the function {name!r} at n = {n}"):
            output, again = (_called(function, copied()) for _ in range(2))
            if what := unconsumed(output):
                rules.expect(False, "finished", f"the function {name!r} returns {what}, whose work has not been done")
                continue
            outputs[name] = output
            with rules.attempt("equal", f"equal() of two outputs of {name!r}"):
                rules.expect(
                    bool(workload.equal(output, again)),
                    "determinism",
                    f"the function {name!r} gave {preview(output)} and then {preview(again)} for equal inputs at n = {n}",
                )
    return outputs


def _called(function: Callable[..., Any], given: Any) -> Any:
    """A function takes the input, or the parts of a tuple."""
    if isinstance(given, tuple):
        try:
            inspect.signature(function).bind(given)
        except TypeError:
            return function(*given)
        except ValueError:  # a builtin whose signature is not known
            return function(*given)
    return function(given)


def _check_equal(rules: Rules, workload: Workload, outputs: Mapping[str, Any], n: int) -> None:
    """All functions compute the same as the first."""
    names = list(outputs)
    for name in names[1:]:
        with rules.attempt("equal", f"equal() of {names[0]!r} and {name!r}"):
            rules.expect(
                bool(workload.equal(outputs[names[0]], outputs[name])),
                "equal",
                f"at n = {n} {names[0]!r} gave {preview(outputs[names[0]])} and {name!r} {preview(outputs[name])}",
            )


def _check_steps(rules: Rules, workload: Workload, name: str, low: int, high: int) -> None:
    with rules.attempt("steps", f"steps({name!r}, {low}, {high})"):
        steps = [int(n) for n in workload.steps(name, low, high)]
        rules.expect(
            all(low <= n < high for n in steps) and steps == sorted(set(steps)),
            "steps",
            f"steps({name!r}, {low}, {high}) gave {steps}; they ascend, from {low} to {high - 1}",
        )


def _check_cost(rules: Rules, workload: Workload, name: str, n: int, batch: int) -> None:
    if type(workload).cost is Base.cost:
        return
    with rules.attempt("cost", f"cost({name!r}, {n}, {batch})"):
        cost = workload.cost(name, n, batch)
        if cost is None:
            return
        known = isinstance(cost, Cost) and all(math.isfinite(each) and each >= 0 for each in (cost.flops, cost.bytes))
        rules.expect(known, "cost", f"cost({name!r}, {n}, {batch}) gave {cost!r}; give a harness.Cost, 0 or more")
