"""Whether results of this machine deserve trust now: a contender raced against itself, and what the machine says."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import yaml
from tabulate import tabulate

from harness import planning, session, units
from harness.analysis.selfcheck import Point, check
from harness.bench import Bench, Listener
from harness.measure import clock
from harness.records import machine
from harness.records.store import Store
from harness.suite import source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records.measurement import Measurement
    from harness.suite.sweep import Cell

HEADS = (16, 64, 256, 1024, 4096)
BATCH_SIZES = (1, 32)
_ROUNDS = 8
_STEAL = 0.02
_BUSY = 0.5
_FALSE_VERDICTS = 0.125  # of the races: five in forty at a nominal 5 %
_USEFUL = 0.10  # a machine that cannot tell 10 % apart is of little use


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found, in numbers and in words."""

    points: Sequence[Point]
    facts: Mapping[str, str]
    complaints: Sequence[str]
    failures: Sequence[str]

    @property
    def false_verdicts(self) -> int:
        """Races in which a contender seemed to differ from itself."""
        return sum(point.false_verdict for point in self.points)

    @property
    def resolvable(self) -> float:
        """The relative difference that the median race could tell."""
        widths = sorted(point.ratio.half_width for point in self.points if point.ratio.known)
        return widths[len(widths) // 2] if widths else math.nan

    @property
    def trustworthy(self) -> bool:
        """Few false verdicts, and differences worth knowing can be told."""
        if self.failures or not self.points:
            return False
        few = self.false_verdicts <= max(1, math.floor(_FALSE_VERDICTS * len(self.points)))
        return few and self.resolvable < _USEFUL

    @property
    def sentence(self) -> str:
        """The verdict in one line."""
        if self.failures:
            return f"results of this machine cannot be judged: {self.failures[0]}"
        score = f"{self.false_verdicts} of {len(self.points)} races of a contender against itself saw a difference"
        if self.trustworthy:
            return f"results of this machine deserve trust now: {score}, and {self.resolvable:.1%} can be told apart"
        if self.resolvable >= _USEFUL:
            return f"results of this machine are too coarse now: differences below {self.resolvable:.0%} cannot be told"
        return f"results of this machine do not deserve trust now: {score}, more than chance allows"

    def render(self) -> str:
        """Table, facts, complaints and the verdict."""
        rows = [
            (
                f"{point.heads:,}",
                point.batch_size,
                f"{point.ratio.value:.3f}",
                f"{point.ratio.low:.3f} to {point.ratio.high:.3f}",
                f"{point.ratio.half_width:.1%}",
                "differs" if point.false_verdict else "same",
            )
            for point in self.points
        ]
        headers = ("N", "batch", "ratio", "95 % interval", "resolves", "verdict")
        parts = [tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True)] if rows else []
        parts.append(tabulate(list(self.facts.items()), tablefmt="plain", disable_numparse=True))
        parts += [f"warning: {each}" for each in self.complaints]
        parts.append(self.sentence)
        return "\n\n".join(parts)


def diagnose(
    listener: Listener,
    *,
    heads: Sequence[int] = HEADS,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    launches: int = 6,
    repetitions: int = 1,
    projector: str = "lda",
    runtime: str = "onnxruntime",
    seed: int = 0,
) -> Diagnosis:
    """Races one contender against itself in fresh processes, at every N and batch size, several times over.

    Args:
        listener: is told how it goes.
        heads: N of the races.
        batch_sizes: of the races.
        launches: fresh pairs of processes per race.
        repetitions: how often all races are run, each with launches of its own.
        projector: of the contender.
        runtime: of the contender.
        seed: of the order of samples.
    """
    suite = {
        "name": "doctor",
        "source": {"use": "resampled"},
        "seed": seed,
        "heads": {"values": list(heads)},
        "batch_sizes": list(batch_sizes),
        "contenders": {"itself": {"projector": projector, "runtime": runtime}},
        "measurement": {"launches": launches},
    }
    loaded = source.load(None, text=yaml.safe_dump(suite))
    plan = planning.plan(loaded, source.check(loaded))
    points: list[Point] = []
    records: list[Measurement] = []
    before = psutil.cpu_times()
    listener.stage("racing a contender against itself", total=launches * repetitions)
    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder) / "run", session.about_run(plan)) as store:
        bench = Bench(plan, store, listener, visits=0, failed=())
        try:
            bench.describe()
            for turn in range(repetitions):
                made = _race(bench, plan.sweep.cells, launches, turn, listener)
                records += made
                points += check(made).points
        finally:
            bench.close(patience=0.2)
    failures = [each.failure.what for each in records if each.failure]
    facts, complaints = _machine(records, before, plan.suite.threads)
    return Diagnosis(points=points, facts=facts, complaints=complaints, failures=failures)


def _race(bench: Bench, cells: Sequence[Cell], launches: int, turn: int, listener: Listener) -> list[Measurement]:
    """All races once, in launches of their own."""
    records = []
    for launch in range(1, launches + 1):
        bench.open(launch)
        for cell in cells:
            records += bench.visit([cell, cell], _ROUNDS, "self-check")
        bench.close_launch()
        listener.step(f"repetition {turn + 1}, launch {launch}")
    return records


def _machine(records: Sequence[Measurement], before: Any, threads: int) -> tuple[dict[str, str], list[str]]:
    """What the machine says of itself, and what of that spoils measurements."""
    found = machine.describe()
    after = psutil.cpu_times()
    busy = sum(after) - sum(before)
    steal = (getattr(after, "steal", 0.0) - getattr(before, "steal", 0.0)) / busy if busy else 0.0
    step = clock.resolution(clock.monotonic)
    read_back = {name: count for record in records for name, count in record.threads.items()}
    facts = {
        "processor": str(found.get("processor")),
        "cores": f"{found.get('usable_cores')} usable",
        "clock step": units.seconds(step),
        "load average": f"{found.get('load_average', math.nan):.2f}",
        "time stolen by other guests": f"{steal:.1%}",
        "governor": str(found.get("governor", "cannot be read")),
        "turbo": str(found.get("turbo", "cannot be read")),
        "threads, as read back": ", ".join(f"{name} {count}" for name, count in sorted(read_back.items())) or "none",
    }
    complaints = []
    if steal > _STEAL:
        complaints.append(f"{steal:.0%} of the time was stolen by other guests of this machine: expect drift")
    if (found.get("load_average") or 0.0) > (found.get("usable_cores") or 1) * _BUSY + 1:
        complaints.append("something else keeps this machine busy: stop it, or expect wide intervals")
    if found.get("governor") not in (None, "performance"):
        complaints.append(
            f"the governor is {found['governor']}: `cpupower frequency-set -g performance` keeps the clock up"
        )
    if any(count > threads for count in read_back.values()):
        complaints.append(f"a library runs more than the {threads} threads that it was told")
    return facts, complaints
