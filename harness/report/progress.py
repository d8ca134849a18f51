"""How a run goes, told while it goes: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from harness import units
from harness.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.progress import TaskID

    from harness.plan.sweep import SearchCase
    from harness.records.measurement import Fidelity, Measurement
    from harness.search import Progress

_PLAIN_SECONDS = 10.0  # between two plain lines of the same stage


def bracket(leg: SearchCase, progress: Progress) -> str:
    """One line on how a search stands: `onnx at batch 32: N* about 6,400, between 5,900 and 7,000`."""
    span = f"between {units.count(progress.low)} and {units.count(progress.high)}"
    found = "looking for a crossover" if progress.estimate is None else f"N* about {units.count(progress.estimate)},"
    return f"{leg.title}: {found} {span} ({units.counted(progress.samples, 'sample')})"


class PlainProgress:
    """Lines without escape codes, for logs and pipes; a stage's steps are summed up every ten seconds."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._stage = ""
        self._total: int | None = None
        self._done = 0
        self._told = clock()
        self._provisional: set[str] = set()

    def say(self, text: str) -> None:
        """Prints a line."""
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def stage(self, text: str, total: int | None = None) -> None:
        """Prints the stage."""
        if text != self._stage:
            self.say(f"… {text}" + (f" ({units.counted(total, 'step')})" if total else ""))
        self._stage, self._total, self._done, self._told = text, total, 0, self._clock()

    def step(self, text: str = "") -> None:
        """Counts a step, and prints every ten seconds."""
        self._done += 1
        if self._clock() - self._told >= _PLAIN_SECONDS:
            self._told = self._clock()
            self.say(f"  {self._done}{f' of {self._total}' if self._total else ''}: {text}")

    def search(self, leg: SearchCase, progress: Progress) -> None:
        """Prints the first estimate of a search when its exploration ends, then how it stands every ten seconds."""
        first = progress.stage == "confirm" and leg.label not in self._provisional
        if first:
            self._provisional.add(leg.label)
            self.say(f"  provisional, to be confirmed by further launches: {bracket(leg, progress)}")
        elif self._clock() - self._told >= _PLAIN_SECONDS:
            self._told = self._clock()
            self.say(f"  {bracket(leg, progress)}")

    def recorded(self, record: Measurement | Fidelity) -> None:
        """Nothing: steps and searches say enough."""

    def close(self) -> None:
        """Nothing is held."""


class LiveProgress(PlainProgress):
    """A bar with the estimated time that is left, and the present bracket of the search that is being served."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        # Drawn when there is something to tell, never in between: a thread that redraws would disturb what is timed.
        self._bar = Progress(*columns, console=console, transient=True, auto_refresh=False)
        self._task: TaskID = self._bar.add_task("starting", total=None)
        self._bar.start()

    def stage(self, text: str, total: int | None = None) -> None:
        """Starts the bar anew."""
        self._stage = text
        self._bar.reset(self._task, total=total, description=printable(text))
        self._bar.refresh()

    def step(self, text: str = "") -> None:
        """Moves the bar."""
        self._bar.update(self._task, advance=1, description=printable(f"{self._stage} · {text}"))
        self._bar.refresh()

    def search(self, leg: SearchCase, progress: Progress) -> None:
        """Shows the bracket, and prints the first estimate of each search."""
        self._bar.update(self._task, description=f"{self._stage} · {bracket(leg, progress)}")
        self._bar.refresh()
        if progress.stage == "confirm" and leg.label not in self._provisional:
            self._provisional.add(leg.label)
            self.say(f"provisional, to be confirmed by further launches: {bracket(leg, progress)}")

    def close(self) -> None:
        """Takes the bar off the screen."""
        self._bar.stop()


def progress(console: Console) -> PlainProgress:
    """A live display on a terminal, plain lines elsewhere."""
    return LiveProgress(console) if console.is_terminal else PlainProgress(console)
