"""Two runs side by side, and quantities over many runs, as text and as Markdown for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from harness import units
from harness.report.columns import grid, sentence
from harness.report.markdown import code, escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.analysis.compare.history import Reading, Series
    from harness.analysis.compare.latencies import CellChange
    from harness.analysis.compare.runs import Comparison
    from harness.analysis.compare.scores import ScoreChange
    from harness.analysis.statistics import Interval

_NONE = "none of these runs has such a quantity"
_MARKS = {
    "slower": "🔴 slower", "worse": "🔴 worse", "faster": "🟢 faster", "better": "🟢 better", "same": "same",
    "inconclusive": "inconclusive",
}  # fmt: skip
_CELLS = ("contender", "N", "batch", "new / old", "95 % interval", "95 % jointly", "verdict")
_SCORES = ("contender", "N", "T", "score", "old", "new", "verdict")


def text(found: Comparison, width: int | None = None) -> str:
    """The conclusion first, then crossovers, cells, and what vanished, appeared or broke."""
    rows = [_row(each, each.verdict) for each in found.cells]
    said = [f"changed: {each}" for each in found.changed]
    said += [f"{found.old} -> {found.new}: {found.sentence}"]
    said += [f"  {each.sentence}" for each in found.crossovers]
    parts = [sentence(each, width) for each in said]
    if rows:
        parts.append(grid(rows, _CELLS, width))
        parts += [sentence(f"  {each}", width) for each in (found.confidence, found.remedy) if each]
    if found.scores:
        parts.append(grid([(*_score(each), each.verdict) for each in found.scores], _SCORES, width))
    parts += [sentence(each, width) for each in _further_lines(found)]
    return "\n".join(parts)


def markdown(found: Comparison) -> str:
    """A comment for a pull request: what moved on top, everything else folded away; names are never read as markup."""
    moved = [each for each in found.cells if each.verdict in ("slower", "faster")]
    rest = [each for each in found.cells if each.verdict not in ("slower", "faster")]
    said = [*(f"changed: {each}" for each in found.changed), *(each.sentence for each in found.crossovers)]
    parts = [f"### {escape(found.sentence)}", f"{code(found.old)} → {code(found.new)}"]
    parts += [f"- {escape(each)}" for each in (*said, *_further_lines(found))]
    if found.confidence:
        parts.append(f"\n{escape('. '.join(each for each in (found.confidence, found.remedy) if each))}.")
    for title, cells in (("", moved), ("cells without a change that matters", rest)):
        if not cells:
            continue
        pipes = _pipes([_row(each, _MARKS[each.verdict]) for each in cells], _CELLS)
        parts.append(_folded(f"{len(cells)} {title}", pipes) if title else f"\n{pipes}\n")
    if found.scores:
        pipes = _pipes([(*_score(each), _MARKS[each.verdict]) for each in found.scores], _SCORES)
        moved_scores = any(each.verdict in ("worse", "better") for each in found.scores)
        title = f"{units.counted(len(found.scores), 'score')} without a change"
        parts.append(f"\n{pipes}\n" if moved_scores else _folded(title, pipes))
    return "\n".join(parts)


def _pipes(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    escaped = [[escape(each) for each in row] for row in rows]
    return tabulate(escaped, headers=headers, tablefmt="pipe", disable_numparse=True)


def history(series: Sequence[Series], width: int | None = None) -> str:
    """A line for each quantity, by suite: its first and last reading, and in which runs a new level began."""
    suites = dict.fromkeys(each.suite for each in series)
    parts = (_suite(suite, [each for each in series if each.suite == suite], width) for suite in suites)
    return "\n\n".join(parts) or _NONE


def readings(series: Sequence[Series], width: int | None = None) -> str:
    """Each quantity with all its readings in the order of time; a new level is marked with its size."""
    return "\n\n".join(_series(each, width) for each in series) or _NONE


def _folded(title: str, pipes: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{pipes}\n\n</details>"


def _score(each: ScoreChange) -> tuple[str, ...]:
    score = each.score
    return (
        score.contender, f"{score.heads:,}", f"{score.temperature:g}", score.word, f"{each.before:.4f}",
        f"{each.after:.4f}",
    )  # fmt: skip


def _row(each: CellChange, verdict: str) -> tuple[str, ...]:
    ratio = f"{each.change.value:.3f}"
    return (
        each.contender, f"{each.heads:,}", str(each.batch_size), ratio, _interval(each.change), _interval(each.joint),
        verdict,
    )  # fmt: skip


def _interval(found: Interval) -> str:
    return f"{found.low:.3f} to {found.high:.3f}" if found.known else "one launch"


def _further_lines(found: Comparison) -> Iterator[str]:
    for word, names in (("removed", found.removed), ("added", found.added), ("fails now", found.broken)):
        yield from (f"  {word}: {name}" for name in names)
    yield from (f"  machines differ: {each}" for each in found.machine)
    yield from (f"  {each}" for each in found.doubts)


def _suite(suite: str, series: Sequence[Series], width: int | None) -> str:
    runs = {reading.run: reading for each in series for reading in each.readings}
    rows = [
        (
            each.name,
            str(len(each.readings)),
            _value(each, each.readings[-1]),
            *((_value(each, each.readings[0]), _ratio(each)) if len(each.readings) > 1 else ("", "")),
            ", ".join(f"{each.step(place):.2f}x in {each.readings[place].run}" for place in each.steps),
        )
        for each in series
    ]
    headers = ("quantity", "runs", "last", "first", "last / first", "new levels")
    table = grid(rows, headers, width)
    remarks = list(dict.fromkeys(f"{one.run}: {one.remark}" for each in series for one in each.readings if one.remark))
    levels = {each.readings[place].run: each.readings[place] for each in series for place in each.steps}
    remarks += [
        f"{name}: new levels: {'; '.join(reading.changed) or 'neither commit nor versions changed'}"
        for name, reading in levels.items()
    ]
    remarks = [sentence(each, width) for each in remarks]
    several = f"{len(runs)} runs" if len(runs) > 1 else "one run"
    return "\n".join([f"{suite}: {several}", table, *remarks])


def _series(series: Series, width: int | None) -> str:
    rows = [
        (
            each.started,
            each.run,
            (each.commit or "")[:12],
            _value(series, each),
            f"{series.step(place):.2f}x" if place in series.steps else "",
            "; ".join(filter(None, (each.remark, *(each.changed if place in series.steps else ())))),
        )
        for place, each in enumerate(series.readings)
    ]
    headers = ("started, UTC", "run", "commit", series.unit, "new level", "remark")
    return f"{series.suite}: {series.name}\n{grid(rows, headers, width)}"


def _ratio(series: Series) -> str:
    return f"{series.readings[-1].value.value / series.readings[0].value.value:.2f}x"


def _value(series: Series, reading: Reading) -> str:
    write = units.seconds if series.unit == "seconds" else "{:,.0f}".format
    found = reading.value
    return f"{write(found.value)} ({write(found.low)} to {write(found.high)})" if found.known else write(found.value)
