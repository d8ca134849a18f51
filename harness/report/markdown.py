"""A run as Markdown: report.md, and what is pasted into an issue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tabulate import tabulate

from harness.analysis.data import lines
from harness.printable import one_line, printable
from harness.report import machine, tables, wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.analysis.summary import Summary
    from harness.report.table import Table

_MARKUP = re.compile(r"[\\`*_\[\]>|~$]")
_BLOCK = re.compile(r"^(?:[#+=]|-(?!\d))")  # a heading, an item, a rule: what a line begins
_NUMBERED = re.compile(r"^(\d{1,9})(?=[.)](?:\s|$))")
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=\bwww)(?=\.)", re.IGNORECASE)  # GitHub makes links of these by itself,
_MENTION = re.compile(r"(?<![\w.])@(?=\w)")  # and tells whoever is mentioned


def render(summary: Summary) -> str:
    """The whole report as GitHub's Markdown."""
    return "\n".join(_lines(summary)).rstrip() + "\n"


def grid(found: Table) -> str:
    """One table as a Markdown pipe table; pipes and markup in names are escaped."""
    return tabulate(
        [[escape(entry.text) for entry in row] for row in found.rows],
        headers=[escape(column) for column in found.columns],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=["right" if column in found.numeric else "left" for column in range(len(found.columns))]
        if found.rows
        else None,
    )


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no markup, cell, tag, link, formula or mention begins in it."""
    plain = _MARKUP.sub(r"\\\g<0>", printable(" ".join(text.split())))
    plain = plain.replace("&", "&amp;").replace("<", "&lt;")
    plain = _NUMBERED.sub(r"\1\\", _BLOCK.sub(r"\\\g<0>", plain))
    return _MENTION.sub("@&#8203;", _ADDRESS.sub(r"\\", plain))  # a character without width


def code(text: str) -> str:
    """A name as code, in which nothing is markup."""
    return "`" + one_line(text).replace("`", "'") + "`"


def _lines(summary: Summary) -> Iterator[str]:
    yield f"# {escape(summary.suite.name)}"
    yield ""
    if summary.suite.description:
        yield escape(summary.suite.description)
        yield ""
    yield f"{escape(wording.headline(summary))}; started {escape(summary.run.started)}, {summary.run.status}."
    yield ""
    yield from _list("Data", lines(summary.data))
    yield from _list("Answers", wording.sentences(summary))
    yield from _list("Deciding by these crossovers", [each.sentence for each in summary.dispatch if each.sentence])
    if summary.documented:
        yield from _list("Documented figures", [each.sentence for each in summary.documented])
    for each in _tables(summary):
        yield from _table(each)
        if each.name == "fidelity":
            yield from _bullets(summary.remarks)
    yield from _list(
        "Self-check", [each for each in (summary.self_check.sentence, summary.self_check.in_blocks) if each]
    )
    yield from _list("Warnings", [*summary.warnings, *wording.cell_warnings(summary)])
    yield from _list("Machine", [f"{name}: {value}" for name, value in machine.machine(summary)])
    if summary.run.command:
        yield "## Reproduce"
        yield ""
        yield "    " + printable(" ".join(summary.run.command.split()))
        yield ""


def _tables(summary: Summary) -> Iterator[Table]:
    yield from tables.latencies(summary, per_query=False)
    yield from tables.latencies(summary, per_query=True)
    yield from tables.relative(summary)
    yield tables.crossovers(summary)
    yield tables.documented(summary)
    yield from tables.waterfalls(summary)
    yield from tables.stepwise(summary)
    yield tables.fidelity(summary)
    yield tables.limits(summary)
    yield tables.failures(summary)
    yield tables.details(summary)


def _table(found: Table) -> Iterator[str]:
    if not found.rows:
        return
    yield f"## {escape(found.title)}"
    yield ""
    yield grid(found)
    yield ""
    if found.note:
        yield escape(found.note)
        yield ""


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    texts = list(lines)
    if texts:
        yield f"## {title}"
        yield ""
        yield from _bullets(texts)


def _bullets(lines: Iterable[str]) -> Iterator[str]:
    texts = list(lines)
    for line in texts:
        yield f"- {escape(line)}"
    if texts:
        yield ""
