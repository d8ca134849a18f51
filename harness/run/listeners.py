"""Who is told how a run goes: the display, and the trackers of plugins, which are never waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugin.events import Measured, RunFinished, RunStarted
from harness.records.measurement import Fidelity, Measurement, RunInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from harness.analysis.summary import Summary
    from harness.plan.sweep import SearchCase
    from harness.plugin.trackers import Trackers
    from harness.run.bench import Listener
    from harness.search import Progress


class Silent:
    """A listener that ignores everything."""

    def say(self, *_: object, **__: object) -> None:
        """Nothing."""

    stage = step = search = recorded = outline = launch = pause = answered = say


class Broadcast:
    """Passes everything on to the display, and records to the trackers as well."""

    def __init__(self, listener: Listener, trackers: Trackers) -> None:
        self._listener = listener
        self._trackers = trackers
        self.say = listener.say
        self.stage = listener.stage
        self.step = listener.step
        self.outline, self.launch = listener.outline, listener.launch
        self.pause, self.answered = listener.pause, listener.answered

    def search(self, case: SearchCase, progress: Progress) -> None:
        """How a search stands."""
        self._listener.search(case, progress)

    def recorded(self, record: Measurement | Fidelity) -> None:
        """A record was written."""
        self._listener.recorded(record)
        if isinstance(record, Measurement):
            self._trackers.measured(
                Measured(
                    contender=record.contender,
                    heads=record.heads,
                    batch_size=record.batch_size,
                    launch=record.launch,
                    outcome=record.outcome,
                    seconds=record.sampled.seconds if record.sampled else (),
                    record=record.model_dump(mode="json"),
                )
            )

    def started(self, run: RunInfo, folder: Path) -> None:
        """The run begins."""
        self._trackers.started(
            RunStarted(
                suite=str(run.suite.get("name", "")),
                folder=str(folder.resolve()),
                started=run.started,
                parameters=run.suite,
                machine=run.machine,
                versions=run.versions,
                quick=run.quick,
            )
        )

    def deliver(self) -> None:
        """Nothing is timed now: trackers may be handed what was kept for them."""
        self._trackers.deliver()

    def finished(self, summary: Summary, folder: Path) -> None:
        """The run ended, and its report exists; what trackers did wrong is said."""
        run = summary.run
        self._trackers.finished(
            RunFinished(
                suite=summary.suite.name,
                folder=str(folder.resolve()),
                status="failed" if run.status == "running" else run.status,
                finished=run.finished or "",
                crossovers=tuple(_crossovers(summary)),
                figures={
                    f"{cell.contender}.{cell.heads}.{cell.batch_size}": cell.call.value
                    for cell in summary.cells
                    if cell.call is not None
                },
                artifacts=tuple(
                    str(each.resolve()) for each in sorted(folder.iterdir()) if not each.name.startswith(".")
                ),
            )
        )
        for failure in self._trackers.failures:
            self.say(f"a tracker failed; the run continues: {failure}")

    def broke_off(self, run: RunInfo, folder: Path) -> None:
        """The run failed so that not even its records can be read: trackers learn that much."""
        name = str(run.suite.get("name", ""))
        self._trackers.finished(
            RunFinished(suite=name, folder=str(folder.resolve()), status="failed", finished=run.finished or "")
        )


def _crossovers(summary: Summary) -> Iterator[Mapping[str, Any]]:
    """Every crossover, or the status of a search that found none."""
    for each in summary.searches:
        if each.located is None:
            continue
        location = each.located.location
        common = {"race": each.case.race, "batch_size": each.case.batch_size, "status": location.status}
        if not location.crossings:
            yield common
        for crossing in location.crossings:
            place = {"heads": crossing.heads, "low": crossing.low, "high": crossing.high}
            yield {**common, "direction": crossing.direction, **place}
