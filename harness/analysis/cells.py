"""One cell summarised: latency as users mean it, what it costs to start and to hold, and what to doubt."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.analysis.diagnostics import Diagnostic, doubts
from harness.analysis.statistics import Interval, median, percentile, typical
from harness.analysis.unchecked import unchecked
from harness.records.measurement import INTERRUPTED, RIVAL_FAILED
from harness.records.samples import seconds_by_launch, timed_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.records.measurement import Measurement

PERCENTILES = (0.5, 0.9, 0.95, 0.99)
_FEWEST_BEYOND = 3  # calls beyond a percentile below which it is not stated


@dataclass(frozen=True, kw_only=True)
class CellSummary:
    """One contender at one N and B."""

    contender: str
    heads: int
    batch_size: int
    outcome: Literal["measured", "failed", "skipped"]
    call: Interval | None = None  # seconds per call: the median of each launch, over launches
    percentiles: Mapping[float, Interval]  # of individually timed calls, seconds, by share
    first_call: Interval | None = None  # seconds, over launches; before anything has prepared the way for it
    load: Interval | None = None  # seconds, over launches
    build_seconds: float | None = None
    compile_seconds: float | None = None
    device_seconds: float | None = None  # of a call, by the device's own clock
    memory_bytes: int | None = None  # of a process that holds this cell alone
    peak_rss_bytes: int | None = None  # of the worker, which may have held models of other N too
    model_bytes: int | None = None
    samples: int = 0
    launches: int = 0
    parity_error: float | None = None
    unchecked: bool = False  # its output was compared with nothing but itself
    failure: str = ""
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def query(self) -> Interval | None:
        """Seconds per query."""
        return self.call.scaled(1.0 / self.batch_size) if self.call else None

    @property
    def throughput(self) -> Interval | None:
        """Queries per second."""
        return self.call.inverse().scaled(self.batch_size) if self.call else None


def summarise_cell(
    records: Sequence[Measurement], machine: Mapping[str, Any] | None = None, confidence: float = 0.95
) -> CellSummary:
    """The records of one cell, at least one, as one summary."""
    contender, heads, batch_size = records[0].cell
    measured = timed_records(records)
    by_launch = seconds_by_launch(measured)
    peaks = [each.peak_rss_bytes for each in records if each.peak_rss_bytes is not None]
    errors = [each.parity.error for each in records if each.parity is not None]
    size = median([each.model_bytes for each in records])
    return CellSummary(
        contender=contender,
        heads=heads,
        batch_size=batch_size,
        outcome="measured" if by_launch else "failed" if any(each.failing for each in records) else "skipped",
        call=typical(by_launch, confidence) if by_launch else None,
        percentiles=_percentiles(measured, confidence),
        first_call=_once_a_launch(((each.launch, each.first_call_seconds) for each in records), confidence),
        load=_once_a_launch(((each.launch, each.load_seconds) for each in records), confidence),
        build_seconds=median([each.build_seconds for each in records]),
        compile_seconds=median([each.compile_seconds for each in records]),
        device_seconds=median([seconds for each in measured for seconds in each.device_seconds]),
        memory_bytes=_memory(records),
        peak_rss_bytes=max(peaks, default=None),
        model_bytes=None if size is None else int(size),
        samples=sum(len(each) for each in by_launch.values()),
        launches=len(by_launch),
        parity_error=max(errors, default=None),
        unchecked=bool(unchecked(records)),
        failure=_failure(records),
        warnings=doubts(records, machine),
    )


def _once_a_launch(found: Iterable[tuple[int, float | None]], confidence: float) -> Interval | None:
    """What happens once in a process, over launches; None where it was not measured."""
    by_launch: dict[int, list[float]] = defaultdict(list)
    for launch, seconds in found:
        if seconds is not None and seconds > 0:
            by_launch[launch].append(seconds)
    return typical(by_launch, confidence) if by_launch else None


def _memory(records: Sequence[Measurement]) -> int | None:
    """What a process holds with this cell alone: before any model, and what the cell added; the most of all launches.

    A cell that found room which others had left behind added less than it needs, hence the most.
    """
    held = [
        each.base_rss_bytes + each.added_rss_bytes
        for each in records
        if each.base_rss_bytes is not None and each.added_rss_bytes is not None
    ]
    return max(held, default=None)


def _percentiles(measured: Sequence[Measurement], confidence: float) -> dict[float, Interval]:
    """Those percentiles that enough individually timed calls lie beyond."""
    calls: dict[int, list[float]] = defaultdict(list)
    for record in measured:
        calls[record.launch].extend(each for each in record.call_seconds if each > 0)
    known = {launch: each for launch, each in calls.items() if each}
    count = sum(len(each) for each in known.values())
    return {
        share: percentile(known, share, confidence)
        for share in PERCENTILES
        if known and round(count * (1.0 - share), 6) >= _FEWEST_BEYOND  # 30 calls have 3 beyond their 90 %, not 2.99…
    }


def _failure(records: Sequence[Measurement]) -> str:
    """Why a cell has no latency, or how often it failed on the way to one."""
    reasons = Counter(
        f"{each.failure.stage}: {each.failure.what}" for each in records if each.outcome == "failed" and each.failure
    )
    if not reasons:
        if any(each.outcome == "measured" for each in records):
            return ""
        return next((each.reason for each in records if each.reason not in (None, RIVAL_FAILED, INTERRUPTED)), "")
    text, _ = reasons.most_common(1)[0]
    failed, made = sum(reasons.values()), sum(not each.interrupted for each in records)
    return text if failed == made else f"{text} (in {failed} of {made} visits)"
