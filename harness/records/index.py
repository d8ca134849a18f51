"""What a run has measured already, found again by what asked for it: for resuming a run, and for deriving it anew."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import TYPE_CHECKING

from harness.records.measurement import PILOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.records.measurement import Fidelity, Measurement
    from harness.records.reader import Evidence


class RecordIndex:
    """Records by the question that they answer; for those of a search see `harness.records.replay`."""

    def __init__(self, measurements: Sequence[Measurement], fidelities: Sequence[Fidelity]) -> None:
        by_visit: dict[int, list[Measurement]] = defaultdict(list)
        for record in measurements:
            if not record.interrupted:
                by_visit[record.visit].append(record)
        self._tables: dict[tuple[str, int, int, int], Measurement] = {}
        self._self_checks: set[tuple[int, tuple[str, int, int]]] = set()
        self._regrets: set[tuple[str, int]] = set()
        for _, records in sorted(by_visit.items()):
            self._file(records)
        self._fidelities = {(each.contender, each.heads, each.seed): each for each in fidelities}

    def _file(self, records: list[Measurement]) -> None:
        first = records[0]
        if first.purpose == "table":
            self._tables.update({(*record.cell, record.launch): record for record in records})
        elif len(records) < 2:
            return  # half a visit, of a run that was ended in its middle
        elif first.purpose == "self-check":
            self._self_checks.add((first.launch, first.cell))
        elif first.purpose == "regret":
            self._regrets.add((first.leg or "", first.heads))

    def table(self, cell: tuple[str, int, int], launch: int) -> Measurement | None:
        """The table's record of (contender, heads, batch size) in a launch."""
        return self._tables.get((*cell, launch))

    def without_latency(self) -> set[tuple[str, int, int]]:
        """Cells of which the table says that they failed, or were left out since they would."""
        return {record.cell for record in self._tables.values() if record.outcome != "measured"}

    def self_check(self, launch: int, cell: tuple[str, int, int]) -> bool:
        """Whether a cell was raced against itself in this launch."""
        return (launch, cell) in self._self_checks

    def regret(self, case: str, heads: int) -> bool:
        """Whether the regret of a search was measured at this N."""
        return (case, heads) in self._regrets

    def fidelity(self, contender: str, heads: int, seed: int) -> Fidelity | None:
        """The scores of a student."""
        return self._fidelities.get((contender, heads, seed))

    def remember(self, record: Fidelity) -> None:
        """Keeps the scores of a student for the rest of the run."""
        self._fidelities[record.contender, record.heads, record.seed] = record


def without_failures(evidence: Evidence) -> Evidence:
    """The same without what failed in the table, in training or in scoring; a search's failures are of its answer."""
    return dataclasses.replace(
        evidence,
        measurements=tuple(
            each for each in evidence.measurements if each.failure is None or each.purpose not in ("table", PILOT)
        ),
        fidelities=tuple(each for each in evidence.fidelities if each.failure is None),
    )


def latest(fidelities: Iterable[Fidelity]) -> tuple[Fidelity, ...]:
    """The last record of each contender, N, temperature and seed: what failed once may have been tried again."""
    return tuple({(each.contender, each.heads, each.temperature, each.seed): each for each in fidelities}.values())
