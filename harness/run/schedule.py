"""What is measured when: fidelity first, then launch after launch, and in each what table and searches ask for."""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.unchecked import marked
from harness.plan.sweep import Cell, SearchCase
from harness.process.failure import TOO_SLOW
from harness.records.crossovers import SearchRecord, load
from harness.records.index import RecordIndex
from harness.records.measurement import ALLOCATOR, IN_BLOCKS, PILOT
from harness.records.replay import Recording, unmeasurable
from harness.records.samples import pairs
from harness.run import allocator_state, regret_points
from harness.run.bench import Bench
from harness.run.pacing import Pace
from harness.run.searches import Request, Searches
from harness.search import BudgetSpent, Pair, bracketing
from harness.search.request import budget_exhausted, known_steps
from harness.search.spans import winning_spans
from harness.search.wording import sentence
from harness.suite.devices import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.plan.plan import Plan
    from harness.process.failure import Failure
    from harness.records.measurement import Measurement
    from harness.records.writer import Evidence, Store
    from harness.run.listeners import Broadcast

_SELF_CHECK_ROUNDS = 5
_SELF_CHECKS = 3  # cells at which a contender is raced against itself: both ends of the sweep and its middle
_REGRET_ROUNDS = 15


class Schedule:
    """A run while it is going on."""

    def __init__(
        self, plan: Plan, store: Store, listener: Broadcast, resume: Evidence | None, sleep: Callable[[float], None]
    ) -> None:
        suite = plan.suite
        known = resume.measurements if resume else ()
        self._plan, self._suite, self._listener = plan, suite, listener
        self._recall = RecordIndex(known, resume.fidelities if resume else ())
        self._recordings = {case: Recording(known, case) for case in plan.sweep.cases}
        now, seconds = time.monotonic(), suite.search.budget_seconds
        self._searched_until = now + seconds if seconds else math.inf
        self._until = plan.until if plan.until is not None else math.inf
        self._seconds = _seconds_before(resume) if resume else {}
        self._pace = Pace(suite.measurement, suite.seed, sleep)
        self._announced: set[SearchCase] = set()
        self.notes: list[str] = []  # what is to be said with the answers, found out after them
        self._searches = Searches(
            plan.sweep.cases,
            suite.search,
            launches=suite.measurement.launches,
            seed=suite.seed,
            timed=plan.until is not None,
            on_progress=listener.search,
        )
        self._without_latency = self._recall.without_latency()
        self.bench = Bench(
            plan, store, listener, known=known, scored=resume.fidelities if resume else (), left=self._seconds_left
        )

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
        number: int | None = 0 if self._plan.sweep.cases else 1 if timed else None
        self._pilot()
        spread = self._suite.measurement.spread_seconds(searched=bool(self._plan.sweep.cases))
        self._listener.outline(self._plan.sweep.cases, wanted, spread)
        while number is not None:
            self._listener.launch(number)
            self._pace.wait(number, self._listener.pause, self._seconds_left())
            self.bench.open(number, self._likely_contenders(number))
            if timed and 1 <= number <= wanted:
                with contextlib.suppress(BudgetSpent):
                    self._visit_table(number)
                    self._check_self(number)
            if self._searches.next_launch() is not None or number == 0:
                doing = "exploring" if number == 0 else "confirming crossovers"
                self._listener.stage(f"launch {number}: {doing}")
            self._searches.serve(number, self._pairs)
            self._announce()
            self.bench.close_launch()
            self._listener.deliver()
            later = number + 1 if timed and number < wanted and self._seconds_left() > 0 else None
            number = min((each for each in (self._searches.next_launch(), later) if each is not None), default=None)
        self._score_where_required()
        with contextlib.suppress(BudgetSpent):
            self._measure_regret(wanted + 1)
        with contextlib.suppress(BudgetSpent):
            self._measure_young_heaps(wanted + 2)

    def close(self, patience: float) -> None:
        """Ends all children, and the threads of searches that were cut off."""
        try:
            self.bench.close(patience)
        finally:
            self._searches.close()

    @property
    def located(self) -> list[SearchRecord]:
        """What the searches have found so far."""
        return [
            SearchRecord(
                case=each.case,
                location=each.location,
                seconds=self._seconds.get(each.case.label, 0.0),
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
            for seed in self._suite.scored_seeds(cell.contender)
            if self._recall.fidelity(cell.contender, cell.heads, seed) is None
        }
        if not self._suite.fidelity or not wanted:
            return
        self._listener.stage("training and scoring", total=len(wanted))
        runtimes = {name: contender.runtime for name, contender in self._suite.contenders.items()}
        for name, heads, seed in sorted(wanted, key=lambda each: (runtimes[each[0]], *each)):  # a process for each
            self._recall.remember(self.bench.score(name, heads, seed))
            self._listener.step(f"{name} at N = {heads:,}, seed {seed}")

    def _score_where_required(self) -> None:
        """Scores challengers that must be right to count, on a coarse ladder from end to end of wherever they lead."""
        wanted: dict[tuple[str, int], None] = {}
        for each in self.located:
            if self._suite.race(each.case.race).requires:
                ladders = [lead.sample_points() for lead in winning_spans(each.location)]
                wanted.update({(each.case.challenger, heads): None for ladder in ladders for heads in ladder})
        missing = [
            (name, heads, seed)
            for name, heads in wanted
            for seed in self._suite.scored_seeds(name) or self._suite.training_seeds[:1]
            if self._recall.fidelity(name, heads, seed) is None
        ]
        if missing:
            self._listener.stage("scoring where the challengers lead", total=len(missing))
        for name, heads, seed in missing:
            self._recall.remember(self.bench.score(name, heads, seed))
            self._listener.step(f"{name} at N = {heads:,}, seed {seed}")

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
            refused = {cell: why for cell in cells if (why := self.bench.refusal(cell, how.latency_calls))}
            fit = [cell for cell in cells if cell not in refused]
            if refused:
                if self._only_raced(refused):
                    fit = []
                self.bench.leave_out([cell for cell in cells if cell not in fit], refused, "table", number)
                self._without_latency |= {name_of(cell) for cell in cells if cell not in fit}
            if fit:
                records = self._visit(fit, how.rounds, "table", calls=how.latency_calls, together=False)
                self._without_latency |= {record.cell for record in records if record.outcome != "measured"}
                self._pace.timed(number)
            self._listener.step(f"N = {heads:,}, batch {batch_size}")

    def _only_raced(self, refused: Mapping[Cell, Failure]) -> bool:
        """Plain functions are measured for the sake of their race: where one is too slow, the other is left alone."""
        functions = all(each.function for each in self._plan.specifications.values())
        return functions and all(why.kind == TOO_SLOW for why in refused.values())

    def _likely_contenders(self, number: int) -> list[str]:
        """The contenders that a launch will most likely need."""
        table = self._suite.measurement.table and number >= 1
        timed = [cell.contender for cell in self._plan.sweep.cells if table and self._is_missing(cell, number)]
        racing = [each.case for each in self._searches.searchers if not each.finished]
        return timed + [name for case in racing for name in (case.baseline, case.challenger)]

    def _is_missing(self, cell: Cell, number: int) -> bool:
        return self._recall.table(name_of(cell), number) is None and name_of(cell) not in self._without_latency

    def _check_self(self, number: int) -> None:
        """Races a contender against itself: what this machine calls a difference where there is none."""
        cells = self._plan.sweep.cells
        if not self._suite.measurement.self_check or not cells:
            return
        name = self._suite.races[0].challenger if self._suite.races else cells[0].contender
        known = [cell for cell in cells if name_of(cell) not in self._without_latency]
        names = [name, *(each.challenger for each in self._suite.races), *(cell.contender for cell in known)]
        first = {self._suite.device_of(each): each for each in reversed(names)}  # on each device that there is
        for own_name in sorted(set(first.values()), key=names.index):
            self._check_contender(known, own_name, number)
        self.bench.close_twins()

    def _check_contender(self, known: Sequence[Cell], name: str, number: int) -> None:
        """Races one contender against itself."""
        own = [cell for cell in known if cell.contender == name] or known
        picked = own and {own[place * (len(own) - 1) // (_SELF_CHECKS - 1)] for place in range(_SELF_CHECKS)}
        for cell in [cell for cell in own if cell in picked]:
            if self.bench.refusal(cell) is None and not self._recall.self_check(number, name_of(cell)):
                self._visit([cell, cell], _SELF_CHECK_ROUNDS, "self-check")
                if kind_of(self._suite.device_of(name)) != "cpu":
                    self._visit([cell, cell], _SELF_CHECK_ROUNDS, IN_BLOCKS)

    def _pairs(self, request: Request) -> Sequence[Pair]:
        """What a search asked for: recalled, or measured now."""
        case = request.case
        known = self._recordings[case].take(request.heads, request.rounds, request.launch)
        if known is not None:
            return known
        if time.monotonic() > self._searched_until:
            raise budget_exhausted(self._suite.search.budget_seconds)
        cells = _cells(case, request.heads)
        if refused := {cell: why for cell in cells if (why := self.bench.refusal(cell))}:
            blamed = self._failing_contenders(refused, case.low)
            records = self.bench.leave_out(cells, blamed, "search", request.launch, case.label)
        else:
            started = time.monotonic()
            records = self._visit(cells, request.rounds, "search", case=case.label)
            self._seconds[case.label] = self._seconds.get(case.label, 0.0) + time.monotonic() - started
            self._pace.timed(request.launch)
        if (answer := unmeasurable(records, case)) is not None:
            raise answer
        return pairs(records[0], records[1])

    def _failing_contenders(self, refused: Mapping[Cell, Failure], low: int) -> Mapping[Cell, Failure]:
        """Who of the contenders keeps an N from being measured: who fails; of two that are only slow, the slower one."""
        failing = {cell: why for cell, why in refused.items() if why.kind != TOO_SLOW}
        if failing or len(refused) < 2:
            return failing or refused

        def ends(cell: Cell) -> int:
            """The smallest N at which it is too slow."""
            heads = range(low, cell.heads)
            late = bisect.bisect_left(
                heads, True, key=lambda n: self.bench.refusal(dataclasses.replace(cell, heads=n)) is not None
            )
            return low + late

        first = min(refused, key=ends)
        return {first: refused[first]}

    def _visit(self, cells: Sequence[Cell], rounds: int, purpose: str, **more: Any) -> list[Measurement]:
        """A visit, where the run has seconds left for it.

        Raises:
            BudgetSpent: where it has none, or they ended meanwhile.
        """
        if self._seconds_left() <= 0:
            raise budget_exhausted(self._suite.search.budget_seconds)
        try:
            return self.bench.visit(cells, rounds, purpose, **more)
        except BudgetSpent:
            raise budget_exhausted(self._suite.search.budget_seconds) from None

    def _seconds_left(self) -> float:
        """Seconds until nothing more may be measured."""
        return self._until - time.monotonic()

    # --------------------------------------------------------------------------------------------------------- pilots

    def _pilot(self) -> None:
        """Calls contenders of unknown cost at ascending N, off the record, until one more would take too long.

        A search meets its N in random order, the largest maybe first. One batch size of each race is enough, the
        smallest: larger ones take no less.
        """
        races = {case.race: case for case in sorted(self._plan.sweep.cases, key=lambda case: -case.batch_size)}
        climbing = [case for case in races.values() if not all(map(self.bench.tried, _cells(case, case.high)))]
        names = {name for case in climbing for name in (case.baseline, case.challenger)}
        unknown = {name for name in names if self.bench.unknown_cost(name)}
        if not unknown:
            return
        self.bench.open(0, sorted(unknown))
        self._listener.stage("measuring how costs grow", total=len(climbing))
        with contextlib.suppress(BudgetSpent):
            for case in climbing:
                self._climb(case, unknown)
                self._listener.step(case.race)
        self.bench.close_launch()

    def _climb(self, case: SearchCase, unknown: set[str]) -> None:
        """The pilots of one case; where one of its contenders is out of reach, the other one need not be called either."""
        for heads in self._ladder(case):
            for cell in _cells(case, heads):
                why = self.bench.refusal(cell)
                if why is not None and why.settles_larger:
                    return
                if why is None and cell.contender in unknown and not self.bench.tried(cell):
                    self._visit([cell], 1, PILOT)

    def _ladder(self, case: SearchCase) -> Sequence[int]:
        """Where a search will look first, ascending."""
        steps = [bracketing.Step(n, n + 1) for n in case.steps]
        return case.points or bracketing.initial_probes(case.low, case.high, steps, bool(known_steps(case)))[0]

    # --------------------------------------------------------------------------------------------------------- regret

    def _measure_regret(self, number: int) -> None:
        """What it costs to decide by the crossovers, at N that no search used."""
        found = [each for each in self.located if each.location.status in ("crossing", "several")]
        if not found or self._plan.quick or not self._suite.search.regret or self._seconds_left() <= 0:
            return
        self.bench.open(number, [name for each in found for name in (each.case.baseline, each.case.challenger)])
        self._listener.stage("the regret of deciding by these crossovers", total=len(found))
        for each in found:
            case = each.case
            for heads in regret_points.points(each, self._suite.seed):
                cells = _cells(case, heads)
                if not self._recall.regret(case.label, heads) and not any(map(self.bench.refusal, cells)):
                    self._visit(cells, _REGRET_ROUNDS, "regret", case=case.label)
            self._listener.step(case.label)
        self.bench.close_launch()

    def _measure_young_heaps(self, number: int) -> None:
        """Whether a threshold of functions holds in the other state of the allocator, at both ends of its decision."""
        found = [each for each in self.located if each.case.counts == "n" and each.location.decision is not None]
        if not found or self._plan.quick or self._seconds_left() <= 0 or time.monotonic() > self._searched_until:
            return
        names = [name for each in found for name in (each.case.baseline, each.case.challenger)]
        self.bench.open(number, names, young_heap=True)
        self._listener.stage("repeating it in the other state of the allocator", total=len(found))
        for each in found:
            for heads in allocator_state.places(each):
                cells = _cells(each.case, heads)
                if not any(map(self.bench.refusal, cells)):
                    records = self._visit(cells, allocator_state.ROUNDS, ALLOCATOR, case=each.case.label)
                    timed = all(record.outcome == "measured" for record in records)
                    if timed and (note := allocator_state.describe(each, heads, pairs(records[0], records[1]))):
                        self.notes.append(note)
                        self._listener.say(f"note: {note}")
            self._listener.step(each.case.label)
        self.bench.close_launch()

    def _announce(self) -> None:
        """Says each crossover as soon as it is known."""
        for searcher in self._searches.searchers:
            case = searcher.case
            if searcher.location is not None and case not in self._announced:
                self._announced.add(case)
                challenger, baseline = (marked(name, self.bench.unchecked) for name in (case.challenger, case.baseline))
                found = sentence(
                    searcher.location, challenger, baseline, case.batch_size, of_heads=case.counts == "heads"
                )
                self._listener.answered(case, searcher.location)
                self._listener.say(f"{case.race}: {found}")


def _seconds_before(evidence: Evidence) -> dict[str, float]:
    """What each search has cost so far: as stored with its answer, or what its samples took where it has none yet."""
    found: dict[str, float] = {}
    for record in evidence.measurements:
        if record.purpose == "search" and record.leg and record.sampled is not None:
            took = record.sampled.inner_loops * sum(record.sampled.seconds)
            found[record.leg] = found.get(record.leg, 0.0) + took
    return found | {each.case.label: each.seconds for each in load(evidence.located)}


def _cells(case: SearchCase, heads: int) -> list[Cell]:
    """The two cells of a race at one N, the baseline first."""
    return [Cell(contender=name, heads=heads, batch_size=case.batch_size) for name in (case.baseline, case.challenger)]


def name_of(cell: Cell) -> tuple[str, int, int]:
    """(contender, heads, batch size), as records name a cell."""
    return cell.contender, cell.heads, cell.batch_size
