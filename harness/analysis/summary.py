"""All that a run says, recomputed from its raw seconds: the one value that every report is rendered from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis import approximation
from harness.analysis.bias import TOO_WIDE, answers_with_bias, range_within_bias, with_bias
from harness.analysis.cells import CellSummary, summarise_cell
from harness.analysis.claims.figures import ClaimResult, compare, extrapolate
from harness.analysis.claims.scores import compare_scores
from harness.analysis.claims.stepwise import Stepwise, stepwise
from harness.analysis.claims.waterfall import Waterfall, waterfalls
from harness.analysis.data import DataSummary, data_of
from harness.analysis.data import warnings as about_data
from harness.analysis.dispatch import Table, tables
from harness.analysis.families import Families
from harness.analysis.fidelity.ablation import ablations
from harness.analysis.fidelity.requirement import Constrained, constrain
from harness.analysis.fidelity.table import FidelityRow, remarks, rows
from harness.analysis.roofline import Distance, MachineLimits, costs_of, distances, predicted
from harness.analysis.self_check import SelfCheck, check
from harness.analysis.settings import remarks as about_threads
from harness.analysis.speedup import Relative, relatives, slowdown
from harness.analysis.statistics import Interval  # noqa: TC001  report.json is made of these types
from harness.analysis.unchecked import marked, unchecked
from harness.errors import RecordsError
from harness.plan.sweep import SearchCase, sweep
from harness.printable import one_line
from harness.records import crossovers as stored
from harness.records.index import latest
from harness.records.samples import CellKey, by_cell
from harness.records.stored_suite import suite_of
from harness.search.coverage import is_uncovered
from harness.search.wording import remarks as remarks_on
from harness.search.wording import sentence
from harness.suite.devices import kind_of
from harness.suite.schema import Suite

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from harness.records.crossovers import SearchRecord
    from harness.records.measurement import Fidelity, Measurement, RunInfo
    from harness.records.reader import Evidence
    from harness.suite.schema import Suite

_QUICK = "quick run: fewer launches and wider precision"


@dataclass(frozen=True, kw_only=True)
class RaceCell:
    """The two of a race at one N and B."""

    race: str
    baseline: str
    challenger: str
    heads: int
    batch_size: int
    slowdown: Interval  # challenger over baseline: above 1 the baseline leads
    leader: str | None  # 'baseline' or 'challenger'; None where they may be alike, or the machine is not to be believed


@dataclass(frozen=True, kw_only=True)
class SearchSummary:
    """A race at one batch size and the answer of its search."""

    case: SearchCase
    located: SearchRecord | None
    sentence: str
    reservations: tuple[str, ...] = ()  # why the sentence is to be read with care
    notes: tuple[str, ...] = ()  # of the search: what it assumed, left out, found beside, or did not reach
    constrained: Constrained | None = None
    floor_crossing: int | None = None  # where the machine's limits and the stated costs alone would put it
    predicted: Interval | None = None  # linear extrapolation from the smallest N of the table; never a measurement


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A run, summarised."""

    run: RunInfo
    suite: Suite
    folder: str
    data: tuple[DataSummary, ...]  # what the sources gave
    cells: tuple[CellSummary, ...]
    races: tuple[RaceCell, ...]
    relatives: tuple[Relative, ...]  # times as fast as the contenders that the suite names in `relative_to`
    searches: tuple[SearchSummary, ...]
    documented: tuple[ClaimResult, ...]
    waterfalls: tuple[Waterfall, ...]
    stepwise: tuple[Stepwise, ...]  # slowdowns under conditions that change one at a time
    fidelity: tuple[FidelityRow, ...]
    remarks: tuple[str, ...]  # about fidelity
    distances: tuple[Distance, ...]  # from the machine's limits, where they were measured
    precisions: Mapping[str, str]  # of the contenders that do not compute in float32
    families: Families  # whose formulas the projectors compute or approximate
    dispatch: tuple[Table, ...]  # which contender to use at each N
    self_check: SelfCheck
    libraries: Mapping[str, tuple[str, ...]]  # BLAS and the like that workers had loaded, with version and kernel
    joint_confidence: float | None  # that all stated crossings lie in their intervals at once (Bonferroni's bound)
    warnings: tuple[str, ...]  # about the run as a whole
    unchecked: tuple[str, ...] = ()  # contenders whose output was compared with nothing but itself
    visits: Mapping[CellKey, Sequence[Measurement]]  # the records by cell, for pairs that no race asked for

    @property
    def quick(self) -> bool:
        """The run was made with --quick."""
        return self.run.quick

    @property
    def approximates(self) -> dict[str, str]:
        """The contenders that only approximate a formula, and the family that it is of."""
        found = {name: self.families.approximates(each) for name, each in self.suite.contenders.items()}
        return {name: family for name, family in found.items() if family}

    @property
    def failures(self) -> tuple[CellSummary, ...]:
        """Cells without a latency, or with failures in some launches."""
        return tuple(cell for cell in self.cells if cell.failure)

    def cell(self, contender: str, heads: int, batch_size: int) -> CellSummary | None:
        """The cell of this name, or None."""
        key = (contender, heads, batch_size)
        return next((each for each in self.cells if (each.contender, each.heads, each.batch_size) == key), None)


def summarise(evidence: Evidence, located: Sequence[SearchRecord] | None = None) -> Summary:
    """Recomputes everything from the records.

    Args:
        evidence: what a run has left, complete or not.
        located: the searches' answers; those stored beside the records if absent.

    Raises:
        RecordsError: where stored answers are of another shape, or about contenders that the suite does not have.
    """
    found = stored.load(evidence.located) if located is None else tuple(located)
    suite = suite_of(evidence.run)
    _refuse_strangers(found, suite)
    confidence = suite.search.confidence
    cells = by_cell(evidence.measurements)
    self_check = check(evidence.measurements, confidence)
    answers = answers_with_bias(found, self_check.bias)
    scored = latest(evidence.fidelities)
    families = Families.of(evidence.run.offers)
    table = rows(scored, suite, families)
    unproved = unchecked(evidence.measurements)
    counts = _qualified(suite, answers, scored, unproved)
    summaries = tuple(_cells(cells, suite, evidence, confidence))
    inexact = _inexact(evidence, suite)
    ceilings = _ceilings(evidence, suite, inexact)
    return Summary(
        run=evidence.run,
        suite=suite,
        folder=evidence.name,
        data=data_of(evidence.run),
        cells=summaries,
        races=tuple(_races(cells, suite, self_check, confidence)),
        relatives=tuple(relatives(suite.relative_to, cells, confidence)),
        searches=tuple(
            _searches(cells, suite, answers, self_check, evidence, counts, table, families, unproved, confidence)
        ),
        documented=(
            *compare(suite, cells, answers, confidence, bias=self_check.bias),
            *compare_scores(suite, table),
        ),
        waterfalls=waterfalls(suite, cells, families, confidence),
        stepwise=stepwise(suite, cells, confidence),
        fidelity=table,
        remarks=(*remarks(table), *ablations(table, suite)),
        distances=distances(summaries, costs_of(evidence.measurements, evidence.run.machine), ceilings),
        precisions=inexact,
        families=families,
        dispatch=tables(answers, evidence.measurements, counts, bias=self_check.bias, unproved=unproved),
        self_check=self_check,
        libraries=_libraries(evidence.measurements),
        joint_confidence=_joint(answers),
        warnings=(
            *evidence.run.warnings,
            *evidence.torn,
            *about_data(table),
            *about_threads(suite),
            *_run_warnings(evidence.run),
        ),
        unchecked=unproved,
        visits=cells,
    )


def _cells(
    cells: Mapping[CellKey, Sequence[Measurement]], suite: Suite, evidence: Evidence, confidence: float
) -> Iterator[CellSummary]:
    """By batch size, N and contender, contenders in the order of the suite."""
    order = {name: place for place, name in enumerate(suite.contenders)}
    for key in sorted(cells, key=lambda each: (each[2], each[1], order.get(each[0], len(order)), each[0])):
        yield summarise_cell(cells[key], evidence.run.machine, confidence)


def _races(
    cells: Mapping[CellKey, Sequence[Measurement]], suite: Suite, self_check: SelfCheck, confidence: float
) -> Iterator[RaceCell]:
    """Every N and B at which both of a race were measured."""
    for race in suite.races:
        points = sorted({(batch, heads) for name, heads, batch in cells if name == race.baseline})
        for batch, heads in points:
            found = slowdown(cells, race.baseline, race.challenger, heads, batch, confidence)
            if found is not None:
                yield RaceCell(
                    race=race.name,
                    baseline=race.baseline,
                    challenger=race.challenger,
                    heads=heads,
                    batch_size=batch,
                    slowdown=found,
                    leader=_leader(found, self_check.bias),
                )


def _ceilings(evidence: Evidence, suite: Suite, inexact: Collection[str]) -> dict[str, MachineLimits]:
    """By contender, the limits of the device that it runs on.

    None for those that the limits do not hold for: in another precision, or with other threads than the limits.
    """
    found = {}
    for name in suite.contenders:
        device = suite.device_of(name)
        if name in inexact or (kind_of(device) == "cpu" and suite.threads_of(name) != suite.threads):
            continue
        waits = (suite.contenders[name].mode or suite.mode) != "pipelined"
        limits = MachineLimits.of(evidence.run.machine, device, waits=waits)
        if limits is not None:
            found[name] = limits
    return found


def _inexact(evidence: Evidence, suite: Suite) -> dict[str, str]:
    """Contenders whose runtime says that it computes with another precision than float32."""
    said = {name: evidence.run.offers.get(f"runtime {each.runtime}", {}) for name, each in suite.contenders.items()}
    return {name: str(about["precision"]) for name, about in said.items() if "precision" in about}


def _remarks(answer: SearchRecord) -> tuple[str, ...]:
    """What is to be known beside the sentence; of functions in their names."""
    names = (answer.case.challenger, answer.case.baseline) if answer.case.counts == "n" else ()
    return remarks_on(answer.location, *names)


def _leader(found: Interval, bias: float) -> str | None:
    if not with_bias(found, bias).differs:
        return None
    return "baseline" if found.value > 1.0 else "challenger"


def _searches(
    cells: Mapping[CellKey, Sequence[Measurement]],
    suite: Suite,
    answers: Sequence[SearchRecord],
    self_check: SelfCheck,
    evidence: Evidence,
    counts: Mapping[tuple[str, int], Constrained],
    table: Sequence[FidelityRow],
    families: Families,
    unproved: Sequence[str],
    confidence: float,
) -> Iterator[SearchSummary]:
    """Every case of the suite in its order, answered or not."""
    found = {(each.case.race, each.case.batch_size): each for each in answers}
    costs = costs_of(evidence.measurements, evidence.run.machine)
    ceilings = _ceilings(evidence, suite, _inexact(evidence, suite))
    wanted = {(case.race, case.batch_size): case for case in sweep(suite).cases}
    for place in dict.fromkeys([*wanted, *found]):
        answer = found.get(place)
        case = answer.case if answer else wanted[place]
        floor = predicted(costs, case, ceilings)
        linear = _predicted(cells, case, suite.heads.grid(), confidence)
        yield SearchSummary(
            case=case,
            located=answer,
            sentence=_sentence(case, answer, unproved),
            reservations=(
                *_reservations(answer, self_check, quick=evidence.run.quick),
                *(_approximations(case, suite, table, families) if answer else ()),
            ),
            notes=_remarks(answer) if answer else (),
            constrained=counts[place] if place in counts and counts[place].sentence else None,
            floor_crossing=floor if floor is not None and _is_plausible(floor, answer) else None,
            predicted=linear if linear is not None and _is_plausible(linear.value, answer) else None,
        )


def _is_plausible(heads: float, answer: SearchRecord | None) -> bool:
    """Whether a predicted N* may be shown: not among N at which one of the two fails."""
    if answer is None or not answer.location.failures or not math.isfinite(heads):
        return True
    return not is_uncovered(answer.location, round(heads))


def _sentence(case: SearchCase, answer: SearchRecord | None, unproved: Sequence[str]) -> str:
    challenger, baseline = (marked(name, unproved) for name in (case.challenger, case.baseline))
    if answer is None:
        return f"{challenger} against {baseline} at batch {case.batch_size}: not searched yet"
    return sentence(answer.location, challenger, baseline, case.batch_size, of_heads=case.counts == "heads")


def _reservations(answer: SearchRecord | None, self_check: SelfCheck, *, quick: bool) -> Iterator[str]:
    if answer is None:
        return
    if quick or answer.quick:
        yield _QUICK
    if not self_check.bias:
        return
    bias = f"{math.expm1(self_check.bias):.1%}"
    for crossing in answer.location.crossings:
        factor = crossing.high / crossing.low
        if factor > TOO_WIDE:
            yield f"with the bias of {bias} that the A/A test found, this interval spans a factor of {factor:.1f}"
    if (slight := range_within_bias(answer.location, self_check.bias)) is not None:
        low, high = slight
        place = f"at N = {low:,}" if low == high else f"at some N from {low:,} to {high:,}"
        yield f"{place} the lead is smaller than the bias of {bias} that the A/A test found"


def _refuse_strangers(found: Sequence[SearchRecord], suite: Suite) -> None:
    """Raises RecordsError where a search is about a contender that the suite does not have."""
    for each in found:
        for name in (each.case.baseline, each.case.challenger):
            if name not in suite.contenders:
                what = f"crossovers.json: {one_line(each.case.label)}: the suite has no contender {one_line(name)}"
                raise RecordsError(what, next_step="restore it, or run the suite again")


def _approximations(case: SearchCase, suite: Suite, table: Sequence[FidelityRow], families: Families) -> Iterator[str]:
    """What a contender that approximates another is worth."""
    for name in (case.baseline, case.challenger):
        family = families.approximates(suite.contenders[name])
        if family:
            yield approximation.answer(name, family, table)


def _qualified(
    suite: Suite, answers: Sequence[SearchRecord], fidelities: Sequence[Fidelity], unproved: Sequence[str]
) -> dict[tuple[str, int], Constrained]:
    """For each case of a race that requires fidelity, from which N on its challenger counts."""
    wanted = {race.name: race for race in suite.races if race.requires is not None}
    return {
        (each.case.race, each.case.batch_size): constrain(
            race.requires, each.location, fidelities, race.challenger, marked(race.challenger, unproved)
        )
        for each in answers
        if (race := wanted.get(each.case.race)) is not None and race.requires is not None
    }


def _predicted(
    cells: Mapping[CellKey, Sequence[Measurement]], case: SearchCase, grid: Sequence[int], confidence: float
) -> Interval | None:
    """The documented way of predicting, from the smallest N of the table at which both were measured."""
    for heads in grid:
        found = slowdown(cells, case.baseline, case.challenger, heads, case.batch_size, confidence)
        if found is not None:
            return extrapolate(heads, found)
    return None


def _joint(answers: Sequence[SearchRecord]) -> float | None:
    """Bonferroni's bound over all stated crossings; None where at most one is stated."""
    stated = [
        crossing
        for each in answers
        if each.location.status in ("crossing", "several")
        for crossing in each.location.crossings
    ]
    return max(0.0, 1.0 - sum(1.0 - crossing.confidence for crossing in stated)) if len(stated) > 1 else None


def _libraries(records: Sequence[Measurement]) -> dict[str, tuple[str, ...]]:
    """What the workers had loaded, each version that was seen once."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        for name, version in record.libraries.items():
            found.setdefault(name, {})[version] = None
    return {name: tuple(versions) for name, versions in sorted(found.items())}


def _run_warnings(run: RunInfo) -> Iterator[str]:
    if run.quick:
        yield f"{_QUICK}: do not quote these figures"
    if run.status == "interrupted":
        yield "the run was interrupted: what is missing can be measured with --resume"
    if run.status == "running":
        yield "the run has not ended, or was killed: what is missing can be measured with --resume"
    for forced in run.forced:
        yield f"resumed with --force although {forced}"
