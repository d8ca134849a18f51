"""What is exported of a run: seconds per call of each cell, and N* of each race, with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.analysis.statistics import Interval, typical
from harness.errors import RecordsError
from harness.records.crossovers import load
from harness.records.samples import by_cell, seconds_by_launch, timed_records
from harness.report.pytest_benchmark import suite_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.records.reader import Evidence


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number of a run."""

    kind: Literal["call", "crossover"]
    name: str  # as pytest names its test: `suites/smoke.yaml::teacher[N64-B1]`, `suites/smoke.yaml::crossover[best-B1]`
    value: Interval  # seconds per call, or N*
    labels: Mapping[str, str]  # what the name says, part by part

    @property
    def unit(self) -> str:
        """`seconds` or `heads`."""
        return "seconds" if self.kind == "call" else "heads"


def quantities(evidence: Evidence) -> tuple[Quantity, ...]:
    """All of a run.

    Raises:
        RecordsError: where nothing was measured.
    """
    found = (*_calls(evidence), *_crossovers(evidence))
    if not found:
        raise RecordsError("the run has no measured cell to export", where=str(evidence.folder))
    return found


def _calls(evidence: Evidence) -> Iterator[Quantity]:
    file = suite_file(evidence)
    for (contender, heads, batch), records in by_cell(evidence.measurements).items():
        seconds = seconds_by_launch(timed_records([each for each in records if each.purpose == "table"]))
        if seconds:
            yield Quantity(
                kind="call",
                name=f"{file}::{contender}[N{heads}-B{batch}]",
                value=typical(seconds),
                labels={"contender": contender, "heads": str(heads), "batch_size": str(batch)},
            )


def _crossovers(evidence: Evidence) -> Iterator[Quantity]:
    file = suite_file(evidence)
    for each in load(evidence.located):
        if each.location.status == "unresolved":
            continue
        for number, crossing in enumerate(each.location.crossings):
            again = f"-{number + 1}" if number else ""
            yield Quantity(
                kind="crossover",
                name=f"{file}::crossover[{each.case.race}-B{each.case.batch_size}{again}]",
                value=Interval(
                    float(crossing.heads),
                    float(min(crossing.low, crossing.heads)),
                    float(max(crossing.high, crossing.heads)),
                    confidence=crossing.confidence,
                ),
                labels={
                    "race": each.case.race,
                    "baseline": each.case.baseline,
                    "challenger": each.case.challenger,
                    "batch_size": str(each.case.batch_size),
                    "crossing": str(number + 1),
                },
            )
