"""Whole tracebacks of what failed in a run, each once, for `--verbose`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records.measurement import Fidelity, Measurement
    from harness.records.reader import Evidence


def tracebacks(evidence: Evidence) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(where it was seen first and how often, the traceback's lines) of each distinct traceback."""
    seen: dict[tuple[str, ...], list[str]] = {}
    records: list[Measurement | Fidelity] = [*evidence.measurements, *evidence.fidelities]
    for record in records:
        if record.failure is not None and record.failure.traceback:
            place = f"{record.contender} at N = {record.heads:,}, {record.failure.stage}"
            seen.setdefault(record.failure.traceback, []).append(place)
    for lines, places in seen.items():
        more = f", and {len(places) - 1} more" if len(places) > 1 else ""
        yield f"{places[0]}{more}", lines
