"""What is measured when: fidelity first, then launch after launch, and in each what table and searches ask for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis import unseen
from harness.analysis.asking import spent
from harness.analysis.crossover import Pair, Unmeasurable
from harness.analysis.leads import leads
from harness.analysis.located import Located, load
from harness.analysis.recall import Recall
from harness.analysis.replay import Recording
from harness.analysis.unchecked import marked, unchecked
from harness.analysis.verdicts import sentence
from harness.analysis.visits import pairs
from harness.bench import Bench
from harness.measure.searching import Request, Searches
from harness.pacing import Pace
from harness.suite.sweep import Cell, Leg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harness.planning import Plan
    from harness.records.store import Evidence, Store
    from harness.told import Told

_SELF_CHECK_ROUNDS = 5
_SELF_CHECKS = 3  # cells at which a contender is raced against itself: both ends of the sweep and its middle
_REGRET_ROUNDS = 15


class Schedule:
    """A run while it is going on.

    Args:
        plan: what to measure.
        store: where records go.
        listener: is told how it goes.
        resume: what was measured before, None where nothing was.
        sleep: pauses between launches, for so many seconds.
    """

    def __init__(
        self, plan: Plan, store: Store, listener: Told, resume: Evidence | None, sleep: Callable[[float], None]
    ) -> None:
        suite = plan.suite
        known = resume.measurements if resume else ()
        self._plan, self._suite, self._listener = plan, suite, listener
        self._recall = Recall(known, resume.fidelities if resume else ())
        self._recordings = {leg: Recording(known, leg) for leg in plan.sweep.legs}
        self._deadline = time.monotonic() + suite.search.budget_seconds if suite.search.budget_seconds else None
        self._seconds = _seconds_before(resume) if resume else {}
        self._pace = Pace(suite.measurement, suite.seed, sleep)
        self._announced: set[Leg] = set()
        self._searches = Searches(
            plan.sweep.legs,
            suite.search,
            launches=suite.measurement.launches,
            seed=suite.seed,
            on_progress=listener.search,
        )
        failed = {record.cell for record in known if record.outcome == "failed"}
        failed |= {(each.contender, each.heads, 0) for each in (resume.fidelities if resume else ()) if each.failure}
        self.bench = Bench(plan, store, listener, visits=self._recall.visits, failed=failed)
        self.bench.unchecked.update(unchecked(known))

    # ------------------------------------------------------------------------------------------------ order of events

    def describe(self) -> Mapping[str, object]:
        """What the source gives."""
        self._listener.stage("loading the source")
        return self.bench.describe()

    def limits(self, known: Mapping[str, Any]) -> Mapping[str, Any]:
        """The machine with its limits, measured where they are not known and something will be compared with them."""
        if "limits" in known or not self._suite.measurement.limits:
            return known
        self._listener.stage("the limits of this machine")
        found = self.bench.limits()
        return {**known, "limits": found} if found else known

    def measure(self) -> None:
        """Fidelity, then launch after launch: the table's visits, and whatever the searches ask for."""
        self._score_students()
        wanted = self._suite.measurement.launches
        timed = self._suite.measurement.table
        number: int | None = 0 if self._plan.sweep.legs else 1 if timed else None
        while number is not None:
            self._pace.wait(number, self._listener.stage)
            self.bench.open(number, self._taking_part(number))
            if timed and 1 <= number <= wanted:
                self._visit_table(number)
                self._check_self(number)
            if self._searches.next_launch() is not None or number == 0:
                doing = "exploring" if number == 0 else "confirming crossovers"
                self._listener.stage(f"launch {number}: {doing}")
            self._searches.serve(number, self._pairs)
            self._announce()
            self.bench.close_launch()
            self._listener.deliver()
            later = number + 1 if timed and number < wanted else None
            number = min((each for each in (self._searches.next_launch(), later) if each is not None), default=None)
        self._score_where_it_counts()
        self._measure_regret(wanted + 1)

    def save(self, wanted: Mapping[str, Path]) -> None:
        """Writes trained students where the user wants them."""
        for name, path in wanted.items():
            heads = max(cell.heads for cell in self._plan.sweep.cells if cell.contender == name)
            self.bench.save(name, heads, path)

    @property
    def located(self) -> list[Located]:
        """What the searches have found so far."""
        return [
            Located(
                leg=each.leg,
                location=each.location,
                seconds=self._seconds.get(each.leg.label, 0.0),
                quick=self._plan.quick,
                asked=self._searches.asked(each),
            )
            for each in self._searches.searchers
            if each.location is not None
        ]

    # ------------------------------------------------------------------------------------------------------- fidelity

    def _score_students(self) -> None:
        """Trains and scores every contender that has a trainer or asks for it, at the N of the sweep."""
        wanted = {
            (cell.contender, cell.heads, seed)
            for cell in self._plan.sweep.cells
            for seed in self._training_seeds(cell.contender)
            if self._recall.fidelity(cell.contender, cell.heads, seed) is None
        }
        if not self._suite.fidelity or not wanted:
            return
        self._listener.stage("training and scoring", total=len(wanted))
        runtimes = {name: contender.runtime for name, contender in self._suite.contenders.items()}
        for name, heads, seed in sorted(wanted, key=lambda each: (runtimes[each[0]], *each)):  # a process for each
            self._recall.remember(self.bench.score(name, heads, seed))
            self._listener.step(f"{name} at N = {heads:,}, seed {seed}")

    def _score_where_it_counts(self) -> None:
        """Scores challengers that must be right to count, on a coarse ladder from end to end of wherever they lead."""
        wanted: dict[tuple[str, int], None] = {}
        for each in self.located:
            if self._suite.race(each.leg.race).requires:
                ladders = [lead.ladder() for lead in leads(each.location)]
                wanted.update({(each.leg.challenger, heads): None for ladder in ladders for heads in ladder})
        missing = [
            (name, heads, seed)
            for name, heads in wanted
            for seed in self._training_seeds(name) or self._suite.training_seeds[:1]
            if self._recall.fidelity(name, heads, seed) is None
        ]
        if missing:
            self._listener.stage("scoring where the challengers lead", total=len(missing))
        for name, heads, seed in missing:
            self._recall.remember(self.bench.score(name, heads, seed))
            self._listener.step(f"{name} at N = {heads:,}, seed {seed}")

    def _training_seeds(self, name: str) -> Sequence[int]:
        """The seeds that a contender is scored with; none where it is not scored."""
        contender = self._suite.contenders[name]
        if contender.trainer is not None:
            return self._suite.training_seeds
        return self._suite.training_seeds[:1] if contender.scored else ()

    # ------------------------------------------------------------------------------------------------------ measuring

    def _visit_table(self, number: int) -> None:
        """Every cell of the sweep, contenders of one N and B in alternation, N and B in random order."""
        groups: dict[tuple[int, int], list[Cell]] = {}
        for cell in self._plan.sweep.cells:
            groups.setdefault((cell.heads, cell.batch_size), []).append(cell)
        order = sorted(groups)
        np.random.default_rng([self._suite.seed, 2, number]).shuffle(order)
        how = self._suite.measurement
        self._listener.stage(f"launch {number} of {how.launches}: the table", total=len(order))
        for heads, batch_size in order:
            cells = [cell for cell in groups[heads, batch_size] if self._is_missing(cell, number)]
            if cells:
                self.bench.visit(cells, how.rounds, "table", calls=how.latency_calls, together=False)
                self._pace.timed(number)
            self._listener.step(f"N = {heads:,}, batch {batch_size}")

    def _taking_part(self, number: int) -> list[str]:
        """The contenders that a launch will most likely need."""
        table = self._suite.measurement.table and number >= 1
        timed = [cell.contender for cell in self._plan.sweep.cells if table and self._is_missing(cell, number)]
        racing = [each.leg for each in self._searches.searchers if not each.finished]
        return timed + [name for leg in racing for name in (leg.baseline, leg.challenger)]

    def _is_missing(self, cell: Cell, number: int) -> bool:
        return self._recall.table(name_of(cell), number) is None and name_of(cell) not in self.bench.failed

    def _check_self(self, number: int) -> None:
        """Races a contender against itself: what this machine calls a difference where there is none."""
        cells = self._plan.sweep.cells
        if not self._suite.measurement.self_check or not cells:
            return
        name = self._suite.races[0].challenger if self._suite.races else cells[0].contender
        own = [cell for cell in cells if cell.contender == name] or list(cells)
        picked = {own[place * (len(own) - 1) // (_SELF_CHECKS - 1)] for place in range(_SELF_CHECKS)}
        for cell in [cell for cell in own if cell in picked]:
            if name_of(cell) not in self.bench.failed and not self._recall.self_check(number, name_of(cell)):
                self.bench.visit([cell, cell], _SELF_CHECK_ROUNDS, "self-check")

    def _pairs(self, request: Request) -> Sequence[Pair]:
        """What a search asked for: recalled, or measured now."""
        leg = request.leg
        known = self._recordings[leg].take(request.heads, request.rounds, request.launch)
        if known is not None:
            return known
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise spent(self._suite.search.budget_seconds)
        cells = rivals(leg, request.heads)
        for cell in cells:
            if name_of(cell) in self.bench.failed:
                reason = f"{cell.contender} failed there"
                self.bench.leave_out(cells, leg.label, request.launch, reason)
                raise Unmeasurable(request.heads, reason)
        started = time.monotonic()
        records = self.bench.visit(cells, request.rounds, "search", leg=leg.label)
        self._seconds[leg.label] = self._seconds.get(leg.label, 0.0) + time.monotonic() - started
        self._pace.timed(request.launch)
        failed = next((record for record in records if record.outcome == "failed"), None)
        if failed is not None:
            what = failed.failure.what if failed.failure else "failed"
            raise Unmeasurable(request.heads, f"{failed.contender}: {what}")
        return pairs(records[0], records[1])

    def _measure_regret(self, number: int) -> None:
        """What it costs to decide by the crossovers, at N that no search used."""
        found = [each for each in self.located if each.location.status in ("crossing", "several")]
        if not found or self._plan.quick or not self._suite.search.regret:
            return
        self.bench.open(number, [name for each in found for name in (each.leg.baseline, each.leg.challenger)])
        self._listener.stage("the regret of deciding by these crossovers", total=len(found))
        for each in found:
            leg = each.leg
            for heads in unseen.points(each, self._suite.seed):
                cells = rivals(leg, heads)
                if not self._recall.regret(leg.label, heads) and not any(
                    name_of(c) in self.bench.failed for c in cells
                ):
                    self.bench.visit(cells, _REGRET_ROUNDS, "regret", leg=leg.label)
            self._listener.step(leg.label)
        self.bench.close_launch()

    def _announce(self) -> None:
        """Says each crossover as soon as it is known."""
        for searcher in self._searches.searchers:
            leg = searcher.leg
            if searcher.location is not None and leg not in self._announced:
                self._announced.add(leg)
                challenger, baseline = (marked(name, self.bench.unchecked) for name in (leg.challenger, leg.baseline))
                found = sentence(searcher.location, challenger, baseline, leg.batch_size)
                self._listener.say(f"{leg.race}: {found}")


def _seconds_before(evidence: Evidence) -> dict[str, float]:
    """What each search has cost so far: as stored with its answer, or what its samples took where it has none yet."""
    found: dict[str, float] = {}
    for record in evidence.measurements:
        if record.purpose == "search" and record.leg and record.sampled is not None:
            took = record.sampled.inner_loops * sum(record.sampled.seconds)
            found[record.leg] = found.get(record.leg, 0.0) + took
    return found | {each.leg.label: each.seconds for each in load(evidence.located)}


def rivals(leg: Leg, heads: int) -> list[Cell]:
    """The two cells of a race at one N, the baseline first."""
    return [Cell(contender=name, heads=heads, batch_size=leg.batch_size) for name in (leg.baseline, leg.challenger)]


def name_of(cell: Cell) -> tuple[str, int, int]:
    """(contender, heads, batch size), as records name a cell."""
    return cell.contender, cell.heads, cell.batch_size
