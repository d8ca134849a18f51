"""How a run goes, shown while it goes: one live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.table import Table as Grid
from rich.text import Text

from harness import units
from harness.printable import printable
from harness.report.answers import place
from harness.report.forecast import Forecast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console, RenderableType

    from harness.plan.sweep import SearchCase
    from harness.records.measurement import Fidelity, Measurement
    from harness.search import Location, Progress

_PLAIN_SECONDS = 10.0  # between two plain lines of the same stage
_LIVE_SECONDS = 0.25  # between two drawings of the live view
_OTHER_LINES = 5  # of the live view beside the rows of its table
_BAR = 20  # columns


def bracket(case: SearchCase, progress: Progress) -> str:
    """One line on how a search stands: `onnx at batch 32: N* about 6,400, between 5,900 and 7,000`."""
    span = f"between {units.count(progress.low)} and {units.count(progress.high)}"
    found = "looking for a crossover" if progress.estimate is None else f"N* about {units.count(progress.estimate)},"
    return f"{case.title}: {found} {span} ({units.counted(progress.samples, 'sample')})"


class Standing:
    """How all searches of a run stand: those that have not begun, provisional intervals, and answers."""

    def __init__(self) -> None:
        self.cases: tuple[SearchCase, ...] = ()
        self.launches = 0
        self._progress: dict[SearchCase, Progress] = {}
        self._answers: dict[SearchCase, Location] = {}
        self._latest: list[SearchCase] = []  # the one that changed last is at the end

    def search(self, case: SearchCase, progress: Progress) -> None:
        """A search has come so far."""
        self._progress[case] = progress
        self._latest = [each for each in self._latest if each is not case] + [case]

    def answered(self, case: SearchCase, location: Location) -> None:
        """A search has its answer."""
        self._answers[case] = location

    @property
    def unfinished(self) -> bool:
        """Searches have begun and have no answer."""
        return any(case not in self._answers for case in self._progress)

    def table(self, rows: int) -> Grid:
        """A row for each search, or for the `rows` that changed last; `about` marks what further launches may move."""
        shown = self._cases_to_show(rows)
        grid = Grid(box=None, pad_edge=False, header_style="bold")
        grid.add_column("race", no_wrap=True, overflow="ellipsis")
        grid.add_column("batch", justify="right", no_wrap=True)
        grid.add_column("N* so far", no_wrap=True, overflow="ellipsis", min_width=24)
        grid.add_column("state", no_wrap=True, min_width=13)
        for case in shown:
            found, state, style = self._row(case)
            grid.add_row(Text(printable(case.race)), f"{case.batch_size:,}", Text(found, style=style), Text(state))
        if more := len(self.cases) - len(shown):
            grid.add_row(Text(f"… and {more} more", style="dim"), "", "", "")
        return grid

    def _cases_to_show(self, rows: int) -> list[SearchCase]:
        """In the order of the suite; where there is no room for all, those that changed last."""
        if len(self.cases) <= rows:
            return list(self.cases)
        first = [*reversed(self._latest), *(case for case in self.cases if case not in self._progress)]
        chosen = set(first[: max(1, rows - 1)])
        return [case for case in self.cases if case in chosen]

    def _row(self, case: SearchCase) -> tuple[str, str, str]:
        """N*, how far the search is, and the style."""
        if case in self._answers:
            return place(self._answers[case])[0], "answered", "bold"
        known = self._progress.get(case)
        if known is None:
            return "", "waiting", "dim"
        low, high = units.count(known.low), units.count(known.high)
        found = (
            f"in {low} to {high}"
            if known.estimate is None
            else f"about {units.count(known.estimate)} ({low} to {high})"
        )
        if known.stage in ("confirm", "done") and known.launch >= 1:
            of = f" of {self.launches}" if known.launch <= self.launches else ""
            return found, f"launch {known.launch}{of}", ""
        return found, "explored" if known.stage == "confirm" else "exploring", ""


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
        self._pausing = ""
        self._standing, self._forecast = Standing(), Forecast(clock)

    def say(self, text: str) -> None:
        """Prints a line."""
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def outline(self, cases: Sequence[SearchCase], launches: int, spread_seconds: float = 0.0) -> None:
        """What the run will do."""
        self._standing.cases, self._standing.launches = tuple(cases), launches
        self._forecast.outline(launches, spread_seconds)

    def launch(self, number: int) -> None:
        """A launch begins, or the pause before it; prints how long the run takes, once that is known."""
        self._forecast.launch(number)
        if number >= 1 and self._forecast.left is not None:
            self.say(f"  launch {number} of {self._standing.launches}: {self._forecast}")

    def pause(self, seconds: float, why: str) -> None:
        """Prints a pause when it begins."""
        if why != self._pausing:
            self.say(f"… a pause of {seconds:.0f} s {why}")
        self._pausing = why

    def stage(self, text: str, total: int | None = None) -> None:
        """Prints the stage."""
        if text != self._stage:
            self.say(f"… {text}" + (f" ({units.counted(total, 'step')})" if total else ""))
        self._begin(text, total)

    def step(self, text: str = "") -> None:
        """Counts a step, and prints every ten seconds."""
        self._advance()
        if self._clock() - self._told >= _PLAIN_SECONDS:
            self._told = self._clock()
            self.say(f"  {self._done}{f' of {self._total}' if self._total else ''}: {text}")

    def search(self, case: SearchCase, progress: Progress) -> None:
        """Prints the first estimate of a search when its exploration ends, then how it stands every ten seconds."""
        self._standing.search(case, progress)
        if self._is_first(case, progress):
            self.say(f"  provisional, to be confirmed by further launches: {bracket(case, progress)}")
        elif self._clock() - self._told >= _PLAIN_SECONDS:
            self._told = self._clock()
            self.say(f"  {bracket(case, progress)}")

    def answered(self, case: SearchCase, location: Location) -> None:
        """Keeps the answer; its sentence is said anyway."""
        self._standing.answered(case, location)

    def recorded(self, record: Measurement | Fidelity) -> None:
        """Nothing: steps and searches say enough."""

    def close(self) -> None:
        """Prints the table of answers so far where the run was interrupted."""
        if self._standing.unfinished:
            self.say("N* when the run was interrupted; what is marked `about` was not confirmed by all launches:")
            self._console.print(self._standing.table(len(self._standing.cases)))

    def _begin(self, stage: str, total: int | None) -> None:
        self._stage, self._total, self._done, self._told = stage, total, 0, self._clock()
        self._pausing = ""

    def _advance(self) -> None:
        self._done += 1
        if self._total:
            self._forecast.part(self._done / self._total)

    def _is_first(self, case: SearchCase, progress: Progress) -> bool:
        """The exploration of this search has just ended."""
        first = progress.stage == "confirm" and case.label not in self._provisional
        if first:
            self._provisional.add(case.label)
        return first


class LiveProgress(PlainProgress):
    """One view that stays in place: launch and time of the whole run, what is done now, and the table of answers.

    It is drawn when there is something new, and never by a thread of its own, which would disturb what is timed.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        from rich.live import Live

        self._detail = ""
        self._left: float | None = None  # of a pause
        self._drawn = clock() - _LIVE_SECONDS
        self._live = Live(
            console=console, transient=True, auto_refresh=False, vertical_overflow="crop",
            get_renderable=self._view, redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self._live.start()

    def outline(self, cases: Sequence[SearchCase], launches: int, spread_seconds: float = 0.0) -> None:
        """Shows the table with all its rows."""
        super().outline(cases, launches, spread_seconds)
        self._draw()

    def launch(self, number: int) -> None:
        """Shows the number and the time."""
        self._forecast.launch(number)
        self._draw()

    def pause(self, seconds: float, why: str) -> None:
        """Counts down."""
        self._left, self._pausing = seconds, why
        self._draw()

    def stage(self, text: str, total: int | None = None) -> None:
        """Starts the bar anew."""
        self._begin(text, total)
        self._detail, self._left = "", None
        self._draw()

    def step(self, text: str = "") -> None:
        """Moves the bar."""
        self._advance()
        self._detail = text
        self._draw_soon()

    def search(self, case: SearchCase, progress: Progress) -> None:
        """Narrows the interval in the table."""
        self._standing.search(case, progress)
        self._detail = f"{case.label}, {units.counted(progress.samples, 'sample')}"
        self._draw_soon()

    def answered(self, case: SearchCase, location: Location) -> None:
        """Puts the answer into the table."""
        super().answered(case, location)
        self._draw()

    def close(self) -> None:
        """Takes the view off the screen; where the run was interrupted its table stays."""
        self._live.stop()
        super().close()

    def _draw(self) -> None:
        self._drawn = self._clock()
        self._live.refresh()

    def _draw_soon(self) -> None:
        """Not with every sample: drawing takes time, too."""
        if self._clock() - self._drawn >= _LIVE_SECONDS:
            self._draw()

    def _view(self) -> RenderableType:
        from rich.console import Group

        room = max(1, self._console.height - _OTHER_LINES)
        parts: list[RenderableType] = list(self._lines())
        if self._standing.cases:
            parts.append(self._standing.table(room))
        return Group(*parts)

    def _lines(self) -> Iterator[Text]:
        """The whole run, then what it does now."""
        number, launches = self._forecast.number, self._standing.launches
        whole = Text(no_wrap=True, overflow="ellipsis")
        if number is not None and launches:
            where = "launch 0, exploring" if number == 0 else f"launch {min(number, launches)} of {launches}"
            whole.append(where, style="bold").append("; ")
        yield whole.append(str(self._forecast))
        now = Text(no_wrap=True, overflow="ellipsis")
        if self._left is not None:
            yield now.append(f"a pause, {self._left:.0f} s left {self._pausing}", style="yellow")
            return
        if self._total:
            full = round(_BAR * min(1.0, self._done / self._total))
            now.append("#" * full, style="blue").append("." * (_BAR - full), style="dim")
            now.append(f" {self._done} of {self._total}  ")
        now.append(printable(self._stage or "starting"))
        yield now.append(f": {printable(self._detail)}" if self._detail else "")


def progress(console: Console) -> PlainProgress:
    """A live display on a terminal, plain lines elsewhere."""
    live = console.is_terminal and not console.is_dumb_terminal
    return LiveProgress(console) if live else PlainProgress(console)
