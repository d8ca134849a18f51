"""Whether results of this machine deserve trust now: a contender raced against itself, and what the machine says."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tabulate import tabulate

from harness import units
from harness.analysis.first_pairs import first_pairs
from harness.analysis.self_check import Point, SelfCheck, check, judge
from harness.commands import doctor_work
from harness.measure import clock
from harness.plan import plan as planning
from harness.plan.check import check_suite
from harness.records import machine
from harness.records.activity import activity, between
from harness.records.writer import Store
from harness.run import session
from harness.run.bench import Bench, Listener
from harness.suite import loading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.analysis.first_pairs import FirstPairs
    from harness.plan.sweep import Cell
    from harness.records.measurement import Measurement

HEADS = (16, 64, 256, 1024, 4096)
BATCH_SIZES = (1, 32)
_ROUNDS = 8
_STEAL = 0.02
_BUSY = 0.5
_SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies")
_COARSE_CLOCK = 1e-5  # seconds; a sample of 4 ms would be off by 0.25 %


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found, in numbers and in words."""

    points: Sequence[Point]
    facts: Mapping[str, str]
    warnings: Sequence[str]  # what of the machine widens intervals
    failures: Sequence[str]  # why nothing could be measured
    faults: Sequence[str] = ()  # what makes every figure doubtful, however the races went
    recovery: Mapping[tuple[int, int], float] = field(default_factory=dict)  # seconds by N and batch size

    @property
    def check(self) -> SelfCheck:
        """The verdict of the races, by the rule that holds for every run."""
        return judge(self.points)

    @property
    def trustworthy(self) -> bool:
        """No bias was seen, and differences worth knowing would have been."""
        return not self.failures and not self.faults and self.check.passed is True

    @property
    def sentence(self) -> str:
        """The verdict in one line."""
        if self.failures:
            return f"A/A test failed to run: {self.failures[0]}"
        if self.faults:
            return f"timings on this machine are unreliable now: {self.faults[0]}"
        return self.check.sentence

    def render(self) -> str:
        """Table, facts, warnings and the verdict."""
        rows = [
            (
                f"{point.heads:,}",
                point.batch_size,
                f"{point.ratio.value:.3f}",
                f"{point.ratio.low:.3f} to {point.ratio.high:.3f}",
                f"{point.ratio.half_width:.1%}",
                self._recovery(point),
                "differs" if point.false_verdict else "same",
            )
            for point in self.points
        ]
        headers = ("N", "batch", "ratio", "95 % interval", "resolves", "back at speed after", "verdict")
        parts = [tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True)] if rows else []
        parts.append(tabulate(list(self.facts.items()), tablefmt="plain", disable_numparse=True))
        parts += [f"warning: {each}" for each in (*self.faults, *self.warnings)]
        parts.append(self.sentence)
        return "\n\n".join(parts)

    def _recovery(self, point: Point) -> str:
        """How long calls take to be back at speed after another process has run."""
        seconds = self.recovery.get((point.heads, point.batch_size))
        return units.seconds(seconds) if seconds is not None else "not measured"


def diagnose(
    listener: Listener,
    *,
    heads: Sequence[int] = HEADS,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    launches: int = 6,
    repetitions: int = 1,
    seed: int = 0,
) -> Diagnosis:
    """Races a function against itself in fresh processes, at every N and batch size, several times over."""
    suite = {
        "name": "doctor",
        "seed": seed,
        "heads": {"values": list(heads)},
        "batch_sizes": list(batch_sizes),
        "setup": f"{doctor_work.__name__}:{doctor_work.inputs.__name__}",
        "contenders": {"itself": {"function": f"{doctor_work.__name__}:{doctor_work.products.__name__}"}},
        "measurement": {"launches": launches},
    }
    loaded = loading.load(None, text=yaml.safe_dump(suite))
    plan = planning.plan(loaded, check_suite(loaded))
    points: list[Point] = []
    records: list[Measurement] = []
    before = activity()
    listener.stage("racing a function against itself", total=launches * repetitions)
    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder) / "run", session.about_run(plan)) as store:
        bench = Bench(plan, store, listener)
        try:
            bench.describe()
            for turn in range(repetitions):
                made = _race(bench, plan.sweep.cells, launches, turn, listener)
                records += made
                points += check(made).points
        finally:
            bench.close(patience=0.2)
    failures = [each.failure.what for each in records if each.failure]
    clock_now = ClockFacts(step_seconds=clock.resolution(clock.monotonic), source=machine.clock_source())
    steal = between(before, activity())
    facts, warnings, faults = judge_machine(
        machine.describe(), records, plan.suite.threads, clock_now, steal.stolen_share if steal else 0.0
    )
    warnings += [first_pair_warning(each) for each in first_pairs(plan.suite, records) if each.is_biased]
    return Diagnosis(
        points=points,
        facts=facts,
        warnings=warnings,
        failures=failures,
        faults=faults,
        recovery=_recovery(records),
    )


def first_pair_warning(found: FirstPairs) -> str:
    """The warning about visits that do not begin as they go on."""
    return (
        f"the first pair of a visit differs from the rest by {math.expm1(found.median):+.1%} (median of "
        f"{units.counted(found.visits, 'visit')}): contenders are not back at speed when sampling begins; "
        "stop other load and run again"
    )


def _recovery(records: Sequence[Measurement]) -> dict[tuple[int, int], float]:
    """Seconds of untimed calls before the samples of each N and batch size, the most of all launches."""
    found: dict[tuple[int, int], float] = {}
    for each in records:
        if each.sampled is not None and each.sampled.untimed_seconds is not None:
            place = each.heads, each.batch_size
            found[place] = max(found.get(place, 0.0), each.sampled.untimed_seconds)
    return found


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


@dataclass(frozen=True, kw_only=True)
class ClockFacts:
    """The clock that times are read from."""

    step_seconds: float
    source: str | None = None  # of the kernel, where it tells


def judge_machine(
    found: Mapping[str, Any], records: Sequence[Measurement], threads: int, ticking: ClockFacts, stolen: float
) -> tuple[dict[str, str], list[str], list[str]]:
    """What the machine says of itself; what of that widens intervals; and what makes figures wrong."""
    read_back = {name: count for record in records for name, count in record.threads.items()}
    facts = {
        "processor": str(found.get("processor")),
        "cores": f"{found.get('usable_cores')} usable",
        "clock step": units.seconds(ticking.step_seconds),
        "clock source": ticking.source or "cannot be read",
        "load average": f"{found.get('load_average', math.nan):.2f}",
        "time stolen by other virtual machines": f"{stolen:.1%}",
        "governor": str(found.get("governor", "cannot be read")),
        "turbo": str(found.get("turbo", "cannot be read")),
        "threads, as read back": ", ".join(f"{name} {count}" for name, count in sorted(read_back.items())) or "none",
    }
    warnings = []
    if stolen > _STEAL:
        warnings.append(f"{stolen:.0%} of the time was stolen by other virtual machines: expect drift")
    if (found.get("load_average") or 0.0) > (found.get("usable_cores") or 1) * _BUSY + 1:
        warnings.append("something else keeps this machine busy: stop it, or expect wide intervals")
    if found.get("governor") not in (None, "performance"):
        warnings.append(
            f"the governor is {found['governor']}: `cpupower frequency-set -g performance` keeps the clock up"
        )
    if ticking.source in _SLOW_CLOCKS:
        warnings.append(
            f"the clock source is {ticking.source}, slow to read: boot with `clocksource=tsc` if it is stable"
        )
    faults = [
        f"{name} runs {units.counted(count, 'thread')}, {threads} requested"
        for name, count in read_back.items()
        if count > threads
    ]
    if ticking.step_seconds > _COARSE_CLOCK:
        faults.append(f"the clock moves in steps of {units.seconds(ticking.step_seconds)}")
    return facts, warnings, faults
