"""Many inputs, one after another, and what they came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.fuzz import runs, suites
from tests.fuzz.answers import ANSWERED
from tests.fuzz.arrays import ARRAYS, DATABASES
from tests.fuzz.judging import Target, Verdict, judge
from tests.fuzz.runs import RUNS
from tests.fuzz.suites import SUITES

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS: dict[str, Target] = {each.name: each for each in (SUITES, DATABASES, ARRAYS, RUNS, ANSWERED)}
_TURNS = ("suites", "databases", "arrays", "suites", "runs", "answers")  # suites are what people send most


@dataclass(kw_only=True)
class Campaign:
    """What the inputs came to."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)  # by kind of input and of verdict
    findings: dict[tuple[str, str, str], list[str]] = field(
        default_factory=dict
    )  # what was found, and where: the inputs
    examples: dict[tuple[str, str, str], Verdict] = field(default_factory=dict)
    slowest_seconds: float = 0.0
    largest_bytes: int = 0
    last: int = 0

    def add(self, target: Target, number: int, verdict: Verdict) -> None:
        """One more."""
        self.counts[target.name, verdict.kind] += 1
        self.slowest_seconds = max(self.slowest_seconds, verdict.cpu_seconds)
        self.largest_bytes = max(self.largest_bytes, verdict.peak_bytes)
        self.last = number
        if not verdict.harmless:
            key = (target.name, verdict.kind, verdict.place or verdict.what[:60])
            self.findings.setdefault(key, []).append(f"--only {target.name} --first {number} --inputs 1")
            self.examples.setdefault(key, verdict)

    def render(self) -> str:
        """As text: counts, limits, and each finding with how to repeat it."""
        lines = [f"{sum(self.counts.values()):,} inputs, the last of number {self.last}"]
        for (target, kind), count in sorted(self.counts.items()):
            lines.append(f"  {target:10} {kind:10} {count:7,}")
        lines.append(
            f"most processor time {self.slowest_seconds:.2f} s, most memory added {self.largest_bytes / 2**20:.0f} MiB"
        )
        for key, inputs in sorted(self.findings.items(), key=lambda each: -len(each[1])):
            lines.append(f"{len(inputs):4} x {' | '.join(key)}: {self.examples[key].what[:300]} ({inputs[0]})")
        return "\n".join(lines)


def run(
    inputs: int, *, seed: int = 0, first: int = 0, only: str | None = None, keep_on: Callable[[], bool] = lambda: True
) -> Campaign:
    """Judges inputs until there are enough, or until it is told to stop.

    Args:
        inputs: how many.
        seed: of all of them.
        first: number of the first.
        only: one kind of input; all in turn if None.
        keep_on: asked before each.
    """
    suites.prepare()
    runs.prepare()
    campaign = Campaign()
    for number in range(first, first + inputs):
        if not keep_on():
            break
        target = TARGETS[only or _TURNS[number % len(_TURNS)]]
        campaign.add(target, number, judge(target, f"{seed}-{number}"))
    return campaign
