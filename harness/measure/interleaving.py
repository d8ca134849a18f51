"""A visit: rivals at the same N and B, sampled in alternation, the order drawn anew in each round."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.measure import recovery
from harness.measure.calibration import CLOCK_SHARE
from harness.process.child import ChildFailed
from harness.records.activity import Activity, ActivityMonitor, activity, between
from harness.records.measurement import IN_BLOCKS, INTERRUPTED, RIVAL_FAILED, Measurement, Parity, Sampled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from harness.measure.pool import Launch, Participant
    from harness.plan.sweep import Cell
    from harness.process.failure import Failure

_UNSETTLED = "its warm-up did not settle: raise measurement.max_warm_up_seconds"
_UNPROVED = "its output was compared with its own in float32 only: give its projector a reference() or a module form"
_COARSE = "the clock's step is above 0.1 % of a sample: raise measurement.min_sample_seconds"
_COARSE_COLD = "the clock's step is above 0.1 % of a cold call: measure larger batches, or with a warm cache"


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """What a visit is for: the fields of its records that are not measured."""

    purpose: str
    visit: int
    case: str | None = None
    keys: dict[Cell, str] = field(default_factory=dict)
    tolerances: dict[str, float] = field(default_factory=dict)
    load_average: float | None = None


class Interrupted(KeyboardInterrupt):
    """A visit that was interrupted; `records` hold what it had measured by then, none of which counts."""

    def __init__(self, records: Sequence[Measurement]) -> None:
        super().__init__()
        self.records = records


@dataclass
class _Slot:
    """One rival of a visit while it is going on."""

    cell: Cell
    twin: int = 0  # 0: the contender's own worker of the launch; otherwise one of those that race against each other
    participant: Participant | None = None
    failure: Failure | None = None
    seconds: list[float] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    started: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    on_device: list[float] = field(default_factory=list)

    @property
    def info(self) -> Mapping[str, Any]:
        """What its worker said when it was ready; nothing where it did not get ready."""
        return self.participant.info if self.participant else {}


def visit(
    launch: Launch,
    cells: Sequence[Cell],
    rounds: int,
    generator: np.random.Generator,
    purpose: Purpose,
    *,
    calls: int = 0,
    together: bool = True,
    activity: Callable[[], Activity | None] = activity,
) -> list[Measurement]:
    """Samples rivals in alternation and gives one record each.

    Args:
        launch: whose workers are used.
        cells: the rivals; a cell named twice is raced against itself, in two processes.
        rounds: samples of each.
        generator: draws the order in which they get ready, and that of each round.
        purpose: for the records.
        calls: individually timed calls of each, after the samples.
        together: the visit means nothing without each of the rivals, so that none is sampled once one has failed.
        activity: what all cores have done so far.

    Raises:
        Interrupted: by Ctrl-C, with what had been measured.
    """
    twins = len(set(cells)) < len(cells)  # alike, none of them the worker that has a longer history
    seats = [_Slot(cell=cell, twin=1 + place if twins else 0) for place, cell in enumerate(cells)]
    meanwhile: ActivityMonitor | None = None
    try:
        for place in generator.permutation(
            len(seats)
        ):  # whoever got ready last has just been busy: not always the same
            if together and any(each.failure for each in seats):
                break
            seat = seats[place]
            try:
                seat.participant = launch.participant(seat.cell, twin=seat.twin)
            except ChildFailed as failed:
                _fail(launch, seat, failed)
        _rehearse(launch, seats, generator, together=together)
        before = activity()
        for block in _blocks(seats, generator) if purpose.purpose == IN_BLOCKS else [seats]:
            _sample(launch, seats, block, rounds, generator, together=together)
        meanwhile = between(before, activity())
        for seat in seats:
            if together and any(each.failure for each in seats):
                break
            _finish(launch, seat, calls)
    except KeyboardInterrupt:
        raise Interrupted([_record(launch, seat, purpose, meanwhile, interrupted=True) for seat in seats]) from None
    return [_record(launch, seat, purpose, meanwhile) for seat in seats]


def _blocks(seats: Sequence[_Slot], generator: np.random.Generator) -> list[list[_Slot]]:
    """One after the other, in an order that is drawn."""
    return [[seats[place]] for place in generator.permutation(len(seats))]


def _sample(
    launch: Launch,
    seats: Sequence[_Slot],
    block: Sequence[_Slot],
    rounds: int,
    generator: np.random.Generator,
    *,
    together: bool,
) -> None:
    """Rounds of those in the block, as long as nobody has failed without whom the visit means nothing."""
    for turn in range(rounds):
        if together and any(seat.failure for seat in seats):
            return
        _round(launch, block, turn, generator)


def _rehearse(launch: Launch, seats: Sequence[_Slot], generator: np.random.Generator, *, together: bool) -> None:
    """Untimed rounds, so that the first timed one begins like all others, and how long each takes to be back at speed.

    That is measured where it is not known yet of this contender near this N: by watching it after its rivals have run.
    One that is alone in its visit has no rival to recover from.
    """
    standing = _still_running(seats)
    if len(standing) < 2 or any(seat.info.get("cold") for seat in standing):
        return
    unknown = _without_recovery(launch, standing)
    watched: dict[int, list[list[recovery.Window]]] = {id(seat): [] for seat in unknown}
    longest = max((seat.info.get("call_seconds", 0.0) for seat in unknown), default=0.0)
    order = [standing[place] for place in generator.permutation(len(standing))]  # kept: nobody follows on itself
    for _ in range(recovery.repetitions(longest, launch.min_sample_seconds) if unknown else 1):
        if together and any(seat.failure for seat in seats):
            return
        for seat in order:
            participant = seat.participant
            if participant is None or seat.failure is not None:
                continue
            try:
                if id(seat) in watched:
                    series = watched[id(seat)]
                    series.append(participant.watch(recovery.enough(series, launch.min_sample_seconds)))
                else:
                    participant.untimed_seconds = _recovery(launch, seat) or participant.untimed_seconds
                    participant.rehearse()
            except ChildFailed as failed:
                _fail(launch, seat, failed)
    for seat in _still_running(unknown):
        _store_recovery(launch, seat, recovery.recovery(watched[id(seat)], launch.min_sample_seconds))


def _without_recovery(launch: Launch, standing: Sequence[_Slot]) -> list[_Slot]:
    """Those that are to be watched; where a single call takes longer than any recovery, it is all that is needed."""
    for seat in standing:
        if seat.info.get("call_seconds", 0.0) >= recovery.LADDER[-1]:
            _store_recovery(launch, seat, recovery.LADDER[0])
    return [seat for seat in standing if _recovery(launch, seat) is None]


def _store_recovery(launch: Launch, seat: _Slot, seconds: float) -> None:
    """Notes how long it takes this contender near this N to be back at speed."""
    assert seat.participant is not None
    launch.recoveries.add(seat.cell.contender, seat.cell.heads, seat.cell.batch_size, seconds)
    seat.participant.untimed_seconds = _recovery(launch, seat) or seconds


def _recovery(launch: Launch, seat: _Slot) -> float | None:
    return launch.recoveries.known(seat.cell.contender, seat.cell.heads, seat.cell.batch_size)


def _still_running(seats: Sequence[_Slot]) -> list[_Slot]:
    """Those that got ready and have not failed."""
    return [seat for seat in seats if seat.participant is not None and seat.failure is None]


def _round(launch: Launch, seats: Sequence[_Slot], turn: int, generator: np.random.Generator) -> None:
    """One sample of each rival that is still standing."""
    standing = _still_running(seats)
    for position, index in enumerate(generator.permutation(len(standing))):
        seat = standing[index]
        if seat.participant is None:
            continue
        try:
            seconds, started = seat.participant.sample()
        except ChildFailed as failed:
            _fail(launch, seat, failed)
            continue
        seat.seconds.append(seconds)
        seat.rounds.append(turn)
        seat.positions.append(position)
        seat.started.append(started)


def _finish(launch: Launch, seat: _Slot, calls: int) -> None:
    """Single calls and the audit, where the rival is still standing."""
    if seat.participant is None or seat.failure is not None:
        return
    try:
        if calls:
            seat.calls, seat.on_device = seat.participant.calls(calls)
        seat.participant.audit()
    except ChildFailed as failed:
        _fail(launch, seat, failed)


def _fail(launch: Launch, seat: _Slot, failed: ChildFailed) -> None:
    seat.failure = failed.failure
    launch.mark_dead(seat.cell.contender, failed, twin=seat.twin)


def _record(
    launch: Launch, seat: _Slot, purpose: Purpose, meanwhile: ActivityMonitor | None, *, interrupted: bool = False
) -> Measurement:
    """The seat as one line of the records; of an interrupted visit the raw seconds are kept, and do not count."""
    info = seat.info
    built = seat.participant.built if seat.participant else None
    cost = built.costs.get(str(seat.cell.batch_size)) if built else None
    proof = built.proofs.get(str(seat.cell.batch_size)) if built else None
    warnings = [_UNPROVED] if proof == "itself" else []
    warnings += [*(built.warnings if built else ()), *info.get("warnings", ())]
    if info and not info["settled"]:
        warnings.append(_UNSETTLED)
    measured = seat.failure is None and bool(seat.seconds)
    if measured and info["clock_step_seconds"] > CLOCK_SHARE * min(seat.seconds) * info["inner_loops"]:
        warnings.append(_COARSE_COLD if info.get("cold") else _COARSE)
    return Measurement(
        key=purpose.keys.get(seat.cell, ""),
        contender=seat.cell.contender,
        heads=seat.cell.heads,
        batch_size=seat.cell.batch_size,
        purpose=purpose.purpose,  # type: ignore[arg-type]  # validated by the record
        leg=purpose.case,
        visit=purpose.visit,
        launch=launch.number,
        outcome="failed" if seat.failure else "measured" if measured and not interrupted else "skipped",
        reason=None if seat.failure else INTERRUPTED if interrupted else None if measured else RIVAL_FAILED,
        process_id=seat.participant.process_id if seat.participant else None,
        process_started=seat.participant.process_started if seat.participant else None,
        sampled=Sampled(
            seconds=tuple(seat.seconds),
            rounds=tuple(seat.rounds),
            positions=tuple(seat.positions),
            started=tuple(seat.started),
            inner_loops=info["inner_loops"],
            overhead_seconds=info["overhead_seconds"],
            untimed_seconds=None if info.get("cold") or seat.participant is None else seat.participant.untimed_seconds,
        )
        if measured
        else None,
        call_seconds=tuple(seat.calls) if measured else (),
        first_call_seconds=info.get("first_call_seconds"),
        load_seconds=info.get("load_seconds"),
        build_seconds=built.build_seconds if built else None,
        build_cached=built.cached if built else None,
        compile_seconds=info.get("compile_seconds"),
        warm_up_calls=info.get("warm_up_calls"),
        device_seconds=tuple(seat.on_device) if measured else (),
        peak_rss_bytes=info.get("peak_rss_bytes"),
        base_rss_bytes=info.get("base_rss_bytes"),
        added_rss_bytes=info.get("added_rss_bytes"),
        model_bytes=built.model_bytes if built else None,
        cost_flops=cost[0] if cost else None,
        cost_bytes=cost[1] if cost else None,
        threads=info.get("threads", {}),
        libraries=info.get("libraries", {}),
        device=info.get("device"),
        settings=info.get("settings", {}),
        device_memory=info.get("device_memory", {}),
        parity=Parity(
            error=info["parity_error"],
            tolerance=purpose.tolerances[seat.cell.contender],
            row_error=info.get("row_error"),
            against=proof,  # type: ignore[arg-type]  # validated by the record
        )
        if info.get("parity_error") is not None
        else None,
        failure=seat.failure,
        warnings=tuple(warnings),
        load_average=purpose.load_average,
        busy_cores=meanwhile.busy_cores if meanwhile else None,
        stolen_share=meanwhile.stolen_share if meanwhile else None,
    )
