"""Two runs side by side, and quantities over many runs, as text and as Markdown for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from harness import units

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.analysis.history import Reading, Series
    from harness.analysis.regression import CellChange, Comparison

_MARKS = {"slower": "🔴 slower", "faster": "🟢 faster", "same": "same", "unclear": "unclear"}


def text(found: Comparison) -> str:
    """The conclusion first, then crossovers, cells, and what vanished, appeared or broke."""
    rows = [_row(each, each.verdict) for each in found.cells]
    headers = ("contender", "N", "batch", "new / old", "95 % interval", "verdict")
    parts = [f"{found.old} -> {found.new}: {found.sentence}"]
    parts += [f"  {each.sentence}" for each in found.crossovers]
    if rows:
        parts.append(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True))
    parts += list(_rest(found))
    return "\n".join(parts)


def markdown(found: Comparison) -> str:
    """A comment for a pull request: what moved on top, everything else folded away."""
    moved = [each for each in found.cells if each.verdict in ("slower", "faster")]
    rest = [each for each in found.cells if each.verdict not in ("slower", "faster")]
    parts = [f"### {found.sentence}", f"`{found.old}` → `{found.new}`"]
    parts += [f"- {each.sentence}" for each in found.crossovers]
    parts += [f"- {line.strip()}" for line in _rest(found)]
    headers = ("contender", "N", "batch", "new / old", "95 % interval", "verdict")
    for title, cells in (("", moved), ("cells without a change that matters", rest)):
        if not cells:
            continue
        rows = [_row(each, _MARKS[each.verdict]) for each in cells]
        grid = tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True)
        parts.append(
            f"<details><summary>{len(cells)} {title}</summary>\n\n{grid}\n\n</details>" if title else f"\n{grid}\n"
        )
    return "\n".join(parts)


def history(series: Sequence[Series]) -> str:
    """Each quantity with its readings in the order of time; a new level is marked with its size."""
    return "\n\n".join(_series(each) for each in series) or "no quantity is in any of these runs"


def _row(each: CellChange, verdict: str) -> tuple[str, ...]:
    change = each.change
    interval = f"{change.low:.3f} to {change.high:.3f}" if change.known else "one launch"
    return each.contender, f"{each.heads:,}", str(each.batch_size), f"{change.value:.3f}", interval, verdict


def _rest(found: Comparison) -> Iterator[str]:
    for word, names in (("vanished", found.vanished), ("appeared", found.appeared), ("fails now", found.broken)):
        yield from (f"  {word}: {name}" for name in names)
    yield from (f"  machines differ: {each}" for each in found.machine)


def _series(series: Series) -> str:
    rows = [
        (
            each.started,
            each.run,
            (each.commit or "")[:12],
            _value(series, each),
            f"new level, {series.step(place):.2f}x" if place in series.steps else "",
            each.remark,
        )
        for place, each in enumerate(series.readings)
    ]
    headers = ("started, UTC", "run", "commit", series.unit, "", "remark")
    return f"{series.name}\n{tabulate(rows, headers=headers, tablefmt='simple', disable_numparse=True)}"


def _value(series: Series, reading: Reading) -> str:
    write = units.seconds if series.unit == "seconds" else units.count
    found = reading.value
    return f"{write(found.value)} ({write(found.low)} to {write(found.high)})" if found.known else write(found.value)
