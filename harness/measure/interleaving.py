"""A visit: contenders at the same N and B, sampled in alternation, the order drawn anew in each round."""

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
    """One contender of a visit while it is going on."""

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
    """Samples contenders in alternation and gives one record each.

    Args:
        launch: whose workers are used.
        cells: the contenders; a cell named twice is raced against itself, in two processes.
        rounds: samples of each.
        generator: draws the order in which they get ready, and that of each round.
        purpose: for the records.
        calls: individually timed calls of each, after the samples.
        together: the visit means nothing without each of the contenders, so that none is sampled once one has failed.
        activity: what all cores have done so far.

    Raises:
        Interrupted: by Ctrl-C, with what had been measured.
    """
    twins = len(set(cells)) < len(cells)  # alike, none of them the worker that has a longer history
    slots = [_Slot(cell=cell, twin=1 + place if twins else 0) for place, cell in enumerate(cells)]
    meanwhile: ActivityMonitor | None = None
    try:
        for place in generator.permutation(
            len(slots)
        ):  # whoever got ready last has just been busy: not always the same
            if together and any(each.failure for each in slots):
                break
            slot = slots[place]
            try:
                slot.participant = launch.participant(slot.cell, twin=slot.twin)
            except ChildFailed as failed:
                _fail(launch, slot, failed)
        _rehearse(launch, slots, generator, together=together)
        before = activity()
        for block in _blocks(slots, generator) if purpose.purpose == IN_BLOCKS else [slots]:
            _sample(launch, slots, block, rounds, generator, together=together)
        meanwhile = between(before, activity())
        for slot in slots:
            if together and any(each.failure for each in slots):
                break
            _finish(launch, slot, calls)
    except KeyboardInterrupt:
        raise Interrupted([_record(launch, slot, purpose, meanwhile, interrupted=True) for slot in slots]) from None
    return [_record(launch, slot, purpose, meanwhile) for slot in slots]


def _blocks(slots: Sequence[_Slot], generator: np.random.Generator) -> list[list[_Slot]]:
    """One after the other, in an order that is drawn."""
    return [[slots[place]] for place in generator.permutation(len(slots))]


def _sample(
    launch: Launch,
    slots: Sequence[_Slot],
    block: Sequence[_Slot],
    rounds: int,
    generator: np.random.Generator,
    *,
    together: bool,
) -> None:
    """Rounds of those in the block, as long as nobody has failed without whom the visit means nothing."""
    for turn in range(rounds):
        if together and any(slot.failure for slot in slots):
            return
        _round(launch, block, turn, generator)


def _rehearse(launch: Launch, slots: Sequence[_Slot], generator: np.random.Generator, *, together: bool) -> None:
    """Untimed rounds, so that the first timed one begins like all others, and how long each takes to be back at speed.

    That is measured where it is not known yet of this contender near this N: by watching it after the others have run.
    One that is alone in its visit has nothing to recover from.
    """
    standing = _still_running(slots)
    if len(standing) < 2 or any(slot.info.get("cold") for slot in standing):
        return
    unknown = _without_recovery(launch, standing)
    watched: dict[int, list[list[recovery.Window]]] = {id(slot): [] for slot in unknown}
    longest = max((slot.info.get("call_seconds", 0.0) for slot in unknown), default=0.0)
    order = [standing[place] for place in generator.permutation(len(standing))]  # kept: nobody follows on itself
    for _ in range(recovery.repetitions(longest, launch.min_sample_seconds) if unknown else 1):
        if together and any(slot.failure for slot in slots):
            return
        for slot in order:
            participant = slot.participant
            if participant is None or slot.failure is not None:
                continue
            try:
                if id(slot) in watched:
                    series = watched[id(slot)]
                    series.append(participant.watch(recovery.seconds_to_watch(series, launch.min_sample_seconds)))
                else:
                    participant.untimed_seconds = _recovery(launch, slot) or participant.untimed_seconds
                    participant.rehearse()
            except ChildFailed as failed:
                _fail(launch, slot, failed)
    for slot in _still_running(unknown):
        _store_recovery(launch, slot, recovery.recovery(watched[id(slot)], launch.min_sample_seconds))


def _without_recovery(launch: Launch, standing: Sequence[_Slot]) -> list[_Slot]:
    """Those that are to be watched; where a single call takes longer than any recovery, it is all that is needed."""
    for slot in standing:
        if slot.info.get("call_seconds", 0.0) >= recovery.LADDER[-1]:
            _store_recovery(launch, slot, recovery.LADDER[0])
    return [slot for slot in standing if _recovery(launch, slot) is None]


def _store_recovery(launch: Launch, slot: _Slot, seconds: float) -> None:
    """Notes how long it takes this contender near this N to be back at speed."""
    assert slot.participant is not None
    launch.recoveries.add(slot.cell.contender, slot.cell.heads, slot.cell.batch_size, seconds)
    slot.participant.untimed_seconds = _recovery(launch, slot) or seconds


def _recovery(launch: Launch, slot: _Slot) -> float | None:
    return launch.recoveries.known(slot.cell.contender, slot.cell.heads, slot.cell.batch_size)


def _still_running(slots: Sequence[_Slot]) -> list[_Slot]:
    """Those that got ready and have not failed."""
    return [slot for slot in slots if slot.participant is not None and slot.failure is None]


def _round(launch: Launch, slots: Sequence[_Slot], turn: int, generator: np.random.Generator) -> None:
    """One sample of each contender that is still standing."""
    standing = _still_running(slots)
    for position, index in enumerate(generator.permutation(len(standing))):
        slot = standing[index]
        if slot.participant is None:
            continue
        try:
            seconds, started = slot.participant.sample()
        except ChildFailed as failed:
            _fail(launch, slot, failed)
            continue
        slot.seconds.append(seconds)
        slot.rounds.append(turn)
        slot.positions.append(position)
        slot.started.append(started)


def _finish(launch: Launch, slot: _Slot, calls: int) -> None:
    """Single calls and the audit, where the contender is still standing."""
    if slot.participant is None or slot.failure is not None:
        return
    try:
        if calls:
            slot.calls, slot.on_device = slot.participant.calls(calls)
        slot.participant.audit()
    except ChildFailed as failed:
        _fail(launch, slot, failed)


def _fail(launch: Launch, slot: _Slot, failed: ChildFailed) -> None:
    slot.failure = failed.failure
    launch.mark_dead(slot.cell.contender, failed, twin=slot.twin)


def _record(
    launch: Launch, slot: _Slot, purpose: Purpose, meanwhile: ActivityMonitor | None, *, interrupted: bool = False
) -> Measurement:
    """The slot as one line of the records; of an interrupted visit the raw seconds are kept, and do not count."""
    info = slot.info
    built = slot.participant.built if slot.participant else None
    cost = built.costs.get(str(slot.cell.batch_size)) if built else None
    proof = built.proofs.get(str(slot.cell.batch_size)) if built else None
    warnings = [_UNPROVED] if proof == "itself" else []
    warnings += [*(built.warnings if built else ()), *info.get("warnings", ())]
    if info and not info["settled"]:
        warnings.append(_UNSETTLED)
    measured = slot.failure is None and bool(slot.seconds)
    if measured and info["clock_step_seconds"] > CLOCK_SHARE * min(slot.seconds) * info["inner_loops"]:
        warnings.append(_COARSE_COLD if info.get("cold") else _COARSE)
    return Measurement(
        key=purpose.keys.get(slot.cell, ""),
        contender=slot.cell.contender,
        heads=slot.cell.heads,
        batch_size=slot.cell.batch_size,
        purpose=purpose.purpose,  # type: ignore[arg-type]  # validated by the record
        leg=purpose.case,
        visit=purpose.visit,
        launch=launch.number,
        outcome="failed" if slot.failure else "measured" if measured and not interrupted else "skipped",
        reason=None if slot.failure else INTERRUPTED if interrupted else None if measured else RIVAL_FAILED,
        process_id=slot.participant.process_id if slot.participant else None,
        process_started=slot.participant.process_started if slot.participant else None,
        sampled=Sampled(
            seconds=tuple(slot.seconds),
            rounds=tuple(slot.rounds),
            positions=tuple(slot.positions),
            started=tuple(slot.started),
            inner_loops=info["inner_loops"],
            overhead_seconds=info["overhead_seconds"],
            untimed_seconds=None if info.get("cold") or slot.participant is None else slot.participant.untimed_seconds,
        )
        if measured
        else None,
        call_seconds=tuple(slot.calls) if measured else (),
        first_call_seconds=info.get("first_call_seconds"),
        load_seconds=info.get("load_seconds"),
        build_seconds=built.build_seconds if built else None,
        build_cached=built.cached if built else None,
        compile_seconds=info.get("compile_seconds"),
        warm_up_calls=info.get("warm_up_calls"),
        device_seconds=tuple(slot.on_device) if measured else (),
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
            tolerance=purpose.tolerances[slot.cell.contender],
            row_error=info.get("row_error"),
            against=proof,  # type: ignore[arg-type]  # validated by the record
        )
        if info.get("parity_error") is not None
        else None,
        failure=slot.failure,
        warnings=tuple(warnings),
        load_average=purpose.load_average,
        busy_cores=meanwhile.busy_cores if meanwhile else None,
        stolen_share=meanwhile.stolen_share if meanwhile else None,
    )
