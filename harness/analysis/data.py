"""The data of a run, told where a reader begins: which heads at which temperature, how many queries, from where."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.analysis.fidelity.table import FidelityRow
    from harness.records.measurement import RunInfo

FEW = 30  # held-out queries below which a bootstrap over them is too narrow, as for any mean of a skewed quantity
_SHOWN = 12  # digits of a digest


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """What one source gave at one N: where the sweep begins, or at the smallest of those that use it."""

    contenders: tuple[str, ...]  # those that have this source for themselves; empty for the suite's own
    description: str
    kind: str
    heads: int
    temperature: float
    train_queries: int
    held_out_queries: int
    digest: str
    notes: tuple[str, ...]  # other projections and how to choose them, what was left out, what was dropped

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it: the line that heads a report, and what a reader should know beside it."""
        return f"{self._whose}{self.sentence}", *(f"{self._whose}{note}" for note in self.notes)

    @property
    def _whose(self) -> str:
        return f"{', '.join(self.contenders)}: " if self.contenders else ""

    @property
    def sentence(self) -> str:
        """Which heads, N and T, how many queries, and how to recognise them."""
        few = f" (fewer than {FEW})" if self.held_out_queries < FEW else ""
        facts = (
            self.description,
            f"N = {self.heads:,}, T = {self.temperature:g}",
            f"{self.train_queries:,} training and {self.held_out_queries:,} held-out queries{few}",
            self.kind,
            f"digest {self.digest[:_SHOWN]}",
        )
        return "; ".join(facts)


def data_of(run: RunInfo) -> tuple[DataSummary, ...]:
    """The suite's source first, then those that contenders have for themselves; none where functions are raced."""
    every_own = run.suite.get("contenders", {}).keys() <= run.sources.keys()
    found = [_summary((), run.source)] if run.source and not every_own else []
    shared: dict[str, list[str]] = defaultdict(list)
    for contender, source in run.sources.items():
        shared[repr(sorted(source.items()))].append(contender)
    found += [_summary(tuple(names), run.sources[names[0]]) for names in shared.values()]
    return tuple(found)


def lines(found: Sequence[DataSummary]) -> list[str]:
    """What heads a report."""
    return [line for each in found for line in each.lines]


def warnings(rows: Sequence[FidelityRow]) -> Iterator[str]:
    """Scores that rest on too few held-out queries, one sentence for each number of them."""
    places: dict[int, set[int]] = defaultdict(set)
    for row in rows:
        if row.scores and 0 < row.queries < FEW:
            places[row.queries].add(row.heads)
    for queries, heads in sorted(places.items()):
        where = f"at N = {', '.join(f'{each:,}' for each in sorted(heads))}"
        on = (
            "one held-out query: it has no interval"
            if queries == 1
            else f"{queries} held-out queries, fewer than {FEW}"
        )
        yield f"{where} fidelity was scored on {on}{'' if queries == 1 else ': its intervals are too narrow'}"


def _summary(contenders: tuple[str, ...], source: Mapping[str, Any]) -> DataSummary:
    return DataSummary(
        contenders=contenders,
        description=str(source.get("description", "")),
        kind=str(source.get("kind", "")),
        heads=int(source.get("heads", 0)),
        temperature=float(source.get("temperature", 0.0)),
        train_queries=int(source.get("train_queries", 0)),
        held_out_queries=int(source.get("held_out_queries", 0)),
        digest=str(source.get("digest", "")),
        notes=tuple(str(note) for note in source.get("notes", ())),
    )
