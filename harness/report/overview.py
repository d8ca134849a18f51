"""A run on one screen: its answers, the lead map in characters, and where the rest is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.text import Text

from harness.analysis.data import lines
from harness.report import spans
from harness.report.answers import answers, by_race
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from harness.analysis.self_check import SelfCheck
    from harness.analysis.summary import Summary
    from harness.report.answers import Answer

LINES = 23  # of a terminal of 24, with a line for the prompt
_WIDE = 110  # columns from which on the names of the faster have columns of their own
_LEAST_MAP = 16
_FINE = {"baseline": "░", "challenger": "█", "undecided": "?", "": " "}
_PLAIN = {"baseline": ".", "challenger": "#", "undecided": "?", "": " "}
_COLOURS = {"baseline": "dark_orange3", "challenger": "blue", "undecided": "dim"}
_MEANINGS = {"=": "reproduced", "≠": "not reproduced", "~": "not comparable here"}
_SHORT_MEANINGS = {"=": "reproduced", "≠": "differs", "~": "n/a here"}


def render(summary: Summary, console: Console, folder: Path | None = None, *, failures: bool = True) -> None:
    """Prints at most one screen of 24 lines; more space than that is not used."""
    from harness.report.ranking import ranking

    signs = _FINE if console.encoding.lower().startswith("utf") else _PLAIN
    found = answers(summary)
    head, tail = list(_head(summary, found)), list(_tail(summary, folder, console, failures=failures))
    room = LINES - sum(_height(each, console.width) for each in (*head, *tail))
    body = _races(found, console.width, room, signs) if found else ranking(summary, console.width, room)
    room -= sum(_height(each, console.width) for each in body)
    notes = []
    for each in () if not failures else (*(f"data: {line}" for line in lines(summary.data)), *_warnings(summary)):
        if (height := _height(Text(each), console.width)) <= room:
            notes.append(Text(each, style="" if each.startswith("data: ") else "yellow"))
            room -= height
    for line in (*head, *body, *notes):
        _print(line, console)
    for line in tail:
        console.print(line, soft_wrap=True)


def _print(line: Text, console: Console) -> None:
    """Sentences are wrapped between words; lines of the table fit anyway."""
    console.print(line, soft_wrap=not console.is_terminal, highlight=False)


def _height(line: Text, width: int) -> int:
    """How many lines of a terminal it takes, somewhat generously."""
    return max(1, math.ceil(len(line.plain) / max(20, width - 8)))


def _head(summary: Summary, found: Sequence[Answer]) -> Iterator[Text]:
    grid, run = summary.suite.heads, summary.run
    races = len({each.search.case.race for each in found})
    what = f"{races} race{'s' if races != 1 else ''}" if races else f"{len(summary.suite.contenders)} contenders"
    batches = ", ".join(f"{each:,}" for each in summary.suite.batch_sizes)
    name = Text(summary.suite.name, style="bold")
    heads = f"{grid.low:,}" + (f" to {grid.high:,}" if grid.high > grid.low else "")
    yield name.append(f": {what}, N = {heads}, batch {batches}; {run.status}", style="not bold")
    yield Text("; ".join([*_data(summary), *_machine(summary)]))
    if summary.self_check.points:
        yield Text(_self_check(summary.self_check), style="yellow" if summary.self_check.passed is False else "")


def _warnings(summary: Summary) -> list[str]:
    """Of the run as a whole; what must not be overlooked has its place anyway."""
    return [each for each in summary.warnings if not _urgent(each)]


def _urgent(warning: str) -> bool:
    return any(word in warning for word in ("quick run", "interrupted", "--force"))


def _self_check(found: SelfCheck) -> str:
    """In one line; the sentence has more."""
    verdict = {True: "passed", False: "FAILED", None: "inconclusive"}[found.passed]
    differ = f"{found.false_verdicts} of {len(found.points)} differ"
    least = f"; smallest detectable difference {found.resolvable:.1%}" if math.isfinite(found.resolvable) else ""
    return f"A/A test {verdict}: {differ}{least}"


def _data(summary: Summary) -> Iterator[str]:
    kinds = dict.fromkeys(each.kind for each in summary.data)
    if kinds:
        temperatures = ", ".join(dict.fromkeys(f"{each.temperature:g}" for each in summary.data))
        yield f"{', '.join(kinds)} data at T = {temperatures}"


def _machine(summary: Summary) -> Iterator[str]:
    machine = summary.run.machine
    if machine.get("processor"):
        cores = machine.get("cores") or machine.get("logical_cores")
        yield f"on {machine['processor']}" + (f", {cores} cores" if isinstance(cores, int) else "")


def _races(found: Sequence[Answer], width: int, room: int, signs: dict[str, str]) -> list[Text]:
    """One table: a line for each race that says who is who, and one for each of its batch sizes."""
    groups = by_race(found)
    published, wide, span = any(each.published for each in found), width >= _WIDE, _range(found)
    sides = ["faster below", "faster above"] if wide else []
    heading = ["batch", "N*", *sides, *(["published"] if published else [])]
    cells = {each: _cells(each, published=published, wide=wide) for each in found}
    widths = _widths(heading, cells.values())
    spare = width - sum(widths) - 2 * len(widths)
    if spare < _LEAST_MAP or span is None:
        spare, cells = 0, {each: _cells(each, published=published, wide=wide, words=True) for each in found}
        widths = _widths(heading, cells.values())
    lines = [Text(_row(heading, widths) + (_axis(span, spare) if spare and span else ""), style="bold")]
    lines[0].rstrip()
    left, shown = room - 1, 0
    for race, rows in groups.items():
        if left < len(rows) + 1 + (1 if shown + 1 < len(groups) else 0):
            break
        left -= len(rows) + 1
        shown += 1
        lines.append(_who(race, rows[0], signs, width))
        for answer in rows:
            line = Text(_row(cells[answer], widths))
            if spare and span:
                line.append_text(_map(answer, span, spare, signs))
            line.rstrip()
            lines.append(line)
    if shown < len(groups):
        more = len(groups) - shown
        lines.append(Text(f"… and {more} more race{'s' if more != 1 else ''}, in the report", style="dim"))
    legend = Text(_legend(found, signs if spare else None), style="dim")
    if legend.plain and room - len(lines) >= _height(legend, width):
        lines.append(legend)
    return lines + _sentences(found, width, room - len(lines))


def _legend(found: Sequence[Answer], signs: dict[str, str] | None) -> str:
    """What the marks mean that are on the screen."""
    if signs is None:
        return ""
    used = dict.fromkeys(each.mark for each in found if each.mark)
    marks = [f"{mark} {_MEANINGS[mark]}" for mark in used]
    return "; ".join([*marks, f"{signs['undecided']} undecided"])


def _widths(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[int]:
    known = list(rows)
    return [max(len(title), *(len(row[at]) for row in known)) for at, title in enumerate(heading)]


def _sentences(found: Sequence[Answer], width: int, room: int) -> list[Text]:
    """The answers in words, where there is room for all of them."""
    lines = []
    for each in found:
        reserved = f" ({'; '.join(each.search.reservations)})" if each.search.reservations else ""
        lines.append(Text(f"{each.search.case.race}: {each.search.sentence}{reserved}"))
        if each.search.constrained is not None:
            lines.append(Text(f"{each.search.case.race}: {each.search.constrained.sentence}"))
    if sum(_height(each, width) for each in lines) <= room:
        return lines
    unsure = ", ".join(each.search.case.title for each in found if not each.certain)
    line = Text(f"! with reservations, see the report: {unsure}", style="yellow")
    return [line] if unsure and _height(line, width) <= room else []


def _cells(answer: Answer, *, published: bool, wide: bool, words: bool = False) -> list[str]:
    published_text = f"{answer.published} {answer.mark}"
    if words and answer.mark:
        published_text = f"{answer.published}, {_SHORT_MEANINGS[answer.mark]}"
    return [
        f"{answer.search.case.batch_size:,}",
        answer.crossover + ("" if answer.certain else " !"),
        *([answer.below, answer.above] if wide else []),
        *([published_text.strip()] if published else []),
    ]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (f"{cell:>{width}}" if not at else f"{cell:<{width}}" for at, (cell, width) in
                    enumerate(zip(cells, widths, strict=True)))  # fmt: skip
    return "  ".join([first, *rest]) + "  "


def _who(race: str, answer: Answer, signs: dict[str, str], width: int) -> Text:
    """`eager: ░ teacher-eager, █ student-eager`."""
    case = answer.search.case
    spare = max(8, (width - len(race) - 8) // 2)
    line = Text(race, style="bold")
    line.append(": ", style="not bold")
    line.append(signs["baseline"], style=_COLOURS["baseline"])
    line.append(f" {_short(case.baseline, spare)}, ", style="not bold")
    line.append(signs["challenger"], style=_COLOURS["challenger"])
    line.append(f" {_short(case.challenger, spare)}", style="not bold")
    return line


def _short(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: width - 1]}…"


def _range(found: Sequence[Answer]) -> tuple[float, float] | None:
    ends = [each.search.located.location for each in found if each.search.located is not None]
    if not ends:
        return None
    return float(min(each.low for each in ends)), float(max(each.high for each in ends))


def _map(answer: Answer, span: tuple[float, float], width: int, signs: dict[str, str]) -> Text:
    """Who is faster at the N of each column, on a logarithmic axis."""
    line = Text()
    if answer.search.located is None:
        return line
    location = answer.search.located.location
    low, high = span
    step = (high / low) ** (1 / width)
    zones, seen = spans.undecided(location), spans.leads(location)
    for column in range(width):
        left, right = low * step**column, low * step ** (column + 1)
        middle = math.sqrt(left * right)
        state = next((each.faster or "undecided" for each in seen if each.low <= middle <= each.high), "")
        if any(first < right and last > left for first, last in zones) and state:
            state = "undecided"
        line.append(signs[state], style=_COLOURS.get(state, ""))
    return line


def _axis(span: tuple[float, float], width: int) -> str:
    """The ends of the range above the map, and N between them where there is room."""
    low, high = (f"{end:,.0f}" for end in span)
    gap = width - len(low) - len(high)
    return f"{low}{'N'.center(gap)}{high}" if gap >= 3 else "N".center(width)


def _tail(summary: Summary, folder: Path | None, console: Console, *, failures: bool) -> Iterator[Text]:
    failed = summary.failures
    if failed and failures:
        first = failed[0]
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        what = f"failed: {first.contender} at N = {first.heads:,}, batch {first.batch_size}: {first.failure}{more}"
        yield Text(_short(" ".join(what.split()), 2 * console.width), style="red")
    yield from (Text(each, style="yellow") for each in [each for each in summary.warnings if _urgent(each)][:2])
    known = len(summary.warnings)
    more = f" ({counted(known, 'warning')})" if known and failures else ""
    if folder is not None:
        yield Text(f"report: {folder / 'report.html'}{more}")
