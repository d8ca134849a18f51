"""Does an executor keep the rules?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.fleet import coordinator
from harness.suite import loading
from harness.testing.rules import Rules, describe

if TYPE_CHECKING:
    from harness.plugin.execution import Executor

_FUNCTIONS = """
def few(n):
    return sum(1 for _ in range(n + 100))


def many(n):
    return sum(1 for _ in range(2 * n)) - n + 100
"""
_SUITE = """
name: conformance
sizes: {from: 2, to: 256, points: 2}
contenders:
  few: {function: "pair.py:few"}
  many: {function: "pair.py:many"}
measurement: {launches: 2, rounds: 2, min_sample_seconds: 0.0003, latency_calls: 5, max_warm_up_seconds: 0.05, self_check: false}
"""


def check_executor(executor: Executor) -> None:
    """Runs a suite of a few seconds on every machine of an executor, twice, and holds what comes home to the rules.

    Args:
        executor: configured with the options to check; its machines have this harness installed.

    Raises:
        ConformanceError: with a sentence for each broken rule.
    """
    rules = Rules(executor)
    describe(rules, executor)
    names: list[str] = []
    with rules.attempt("machines", "machines()"):
        names = [each.name for each in executor.machines()]
        rules.expect(bool(names), "machines", "machines() gave none")
        rules.expect(all(names) and len({*names}) == len(names), "machines", f"machines() gave the names {names}")
    if names:
        with tempfile.TemporaryDirectory() as place, rules.attempt("run", "a run on all machines"):
            _check_run(rules, executor, Path(place))
    with rules.attempt("close", "close(), twice"):
        executor.close()
        executor.close()
    rules.finish()


def _check_run(rules: Rules, executor: Executor, place: Path) -> None:
    (place / "pair.py").write_text(_FUNCTIONS, encoding="utf-8")
    (place / "pair.yaml").write_text(_SUITE, encoding="utf-8")
    loaded = loading.load(place / "pair.yaml")
    said: list[str] = []
    ended = coordinator.run(loaded, executor, place / "out", coordinator.RunOptions(), said.append)
    for each in ended:
        rules.expect(each.status == "complete", "run", f"{each}")
    again = coordinator.run(loaded, executor, place / "out", coordinator.RunOptions(), said.append, resume=True)
    for first, second in zip(ended, again, strict=True):
        rules.expect(
            (second.status, second.records) == ("complete", first.records),
            "resume",
            f"a run that was complete was continued: {first}, then {second}",
        )
