"""What a run without races answers on one screen: who imitates the teacher best, or who is fastest at each N."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from harness import units
from harness.report.tables.students import beats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.analysis.summary import Summary

_REST = "… and {} more, in the report"


def ranking(summary: Summary, width: int, room: int) -> list[Text]:
    """A table that fits; what does not is counted."""
    headings, rows = best(summary)
    if not rows:
        return []
    while len(headings) > 4 and _needed_width(rows, headings) > width:
        rows, headings = [row[:-1] for row in rows], headings[:-1]
    widths = [max(len(title), *(len(row[at]) for row in rows)) for at, title in enumerate(headings)]
    lines = [Text(_line(headings, widths), style="bold")]
    shown = rows if len(rows) < room else rows[: max(1, room - 2)]
    lines += [Text(_line(row, widths)) for row in shown]
    if len(shown) < len(rows):
        lines.append(Text(_REST.format(len(rows) - len(shown)), style="dim"))
    return lines


def best(summary: Summary) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings and rows: who is fastest at each N and batch size, or who imitates the teacher best at each N and T."""
    if rows := _fastest(summary):
        return ("N", "batch", "fastest", "ms per call", "next", "times slower"), rows
    return ("N", "T", "best by cosine", "cosine", "top-1", "beats untrained"), _closest(summary)


def leading(summary: Summary, most: int) -> list[str]:
    """The contenders that are best anywhere, then those that come next, no more than `most`."""
    headings, rows = best(summary)
    names = [row[2] for row in rows]
    if "next" in headings:
        names += [row[headings.index("next")] for row in rows]
    else:
        scored = [row for row in summary.fidelity if "mean_cosine" in row.scores and not row.teacher]
        names += [row.contender for row in sorted(scored, key=lambda row: -row.scores["mean_cosine"])]
    return list(dict.fromkeys(name for name in names if name))[:most]


def _needed_width(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> int:
    widths = (max(len(title), *(len(row[at]) for row in rows)) for at, title in enumerate(headings))
    return sum(widths) + 2 * (len(headings) - 1)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _fastest(summary: Summary) -> list[tuple[str, ...]]:
    grid = set(summary.suite.heads.grid())
    rows: list[tuple[str, ...]] = []
    measured = [each for each in summary.cells if each.call is not None and each.heads in grid]
    for heads, batch in sorted({(each.heads, each.batch_size) for each in measured}):
        here = [
            (each.call.value, each.contender)
            for each in measured
            if each.call is not None and (each.heads, each.batch_size) == (heads, batch)
        ]
        (seconds, first), *others = sorted(here)
        after = others[0] if others else None
        rows.append(
            (
                f"{heads:,}", f"{batch:,}", first, units.milliseconds(seconds), after[1] if after else "",
                units.ratio(after[0] / seconds) if after else "",
            )
        )  # fmt: skip
    return rows


def _closest(summary: Summary) -> list[tuple[str, ...]]:
    scored = [each for each in summary.fidelity if "mean_cosine" in each.scores and not each.teacher]
    rows: list[tuple[str, ...]] = []
    for heads, temperature in sorted({(each.heads, -each.temperature) for each in scored}):
        here = [each for each in scored if (each.heads, each.temperature) == (heads, -temperature)]
        best = max(here, key=lambda each: each.scores["mean_cosine"])
        top = best.scores.get("top1_agreement")
        rows.append(
            (
                f"{heads:,}", f"{-temperature:g}", best.contender, f"{best.scores['mean_cosine']:.4f}",
                "" if top is None else f"{top:.3f}", beats(best, summary.fidelity),
            )
        )  # fmt: skip
    return rows
