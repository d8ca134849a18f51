"""A run as one HTML file: no request to anywhere, light and dark, on a phone and in print."""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from harness.analysis.data import lines
from harness.report import machine, tables, wording
from harness.report.plots import Plot, plots
from harness.report.vega import bundle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.analysis.summary import LegSummary, Summary
    from harness.report.table import Entry, Table

_POLICY = (  # Vega compiles its expressions, hence unsafe-eval; nothing may be loaded or sent
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data:"
)
_CLASSES = {"reproduced": "good", "not reproduced": "differs", "not comparable here": "dim"}


def render(summary: Summary) -> str:
    """The whole page. Everything that comes from suites, plugins and records is escaped."""
    pictures = plots(summary)
    specs = {each.name: each.chart.to_dict(validate=False) for each in pictures}
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(summary.suite.name)}: crossovers</title>",
            f"<style>{_resource('page.css')}</style>",
            "</head>",
            "<body>",
            *_body(summary, pictures),
            f'<script type="application/json" id="specs">{_inert(json.dumps(specs))}</script>',
            f'<script type="module">{_closed(bundle())}</script>',
            f'<script type="module">{_closed(_resource("page.js"))}</script>',
            "</body>",
            "</html>",
            "",
        ]
    )


def _body(summary: Summary, pictures: list[Plot]) -> Iterator[str]:
    yield "<main>"
    yield f"<h1>{escape(summary.suite.name)}</h1>"
    if summary.suite.description:
        yield f"<p>{escape(summary.suite.description)}</p>"
    about = f"{wording.headline(summary)}. Started {summary.run.started}, {summary.run.status}."
    yield f'<p class="dim">{escape(about)}</p>'
    yield from _list("Data", lines(summary.data))
    yield from _answers(summary)
    yield from _documented(summary)
    if summary.failures:
        yield from _section("Failures", [_grid(tables.failures(summary))])
    for picture in pictures:
        yield _figure(picture)
    for found in _tables(summary):
        if found.rows:
            yield from _section(found.title, _with_note(found, summary))
    yield from _list("Self-check", [summary.self_check.sentence])
    yield from _list("Warnings", [*summary.warnings, *wording.doubts(summary)])
    yield from _machine(summary)
    yield "</main>"


def _answers(summary: Summary) -> Iterator[str]:
    """The answer of each leg, in one sentence."""
    if not summary.legs:
        return
    yield '<section class="answers"><h2>Answers</h2><ul>'
    for leg in summary.legs:
        yield f"<li>{_answer(leg)}</li>"
    yield "</ul>"
    if summary.joint_confidence is not None:
        yield (
            '<p class="dim">All stated crossings hold at once with a confidence of at least '
            f"{summary.joint_confidence:.0%}.</p>"
        )
    yield from (f'<p class="dim">{escape(each.sentence)}.</p>' for each in summary.dispatch if each.sentence)
    yield "</section>"


def _answer(leg: LegSummary) -> str:
    said = f"<b>{escape(leg.leg.race)}</b>: {escape(leg.sentence)}"
    said += "".join(f' <span class="mark">{escape(each)}</span>' for each in leg.reservations)
    if leg.constrained is not None:
        said += f"<br>{escape(leg.constrained.sentence)}"
    said += "".join(f'<br><span class="dim">note: {escape(note)}</span>' for note in leg.notes)
    return said


def _documented(summary: Summary) -> Iterator[str]:
    if not summary.documented:
        return
    found = tables.documented(summary)
    yield "<section><h2>Documented and measured</h2>"
    for each in summary.documented:
        yield f'<p class="verdict {_CLASSES[each.verdict]}">{escape(each.sentence)}</p>'
    yield f'<p class="dim">{escape(found.note)}</p></section>'


def _tables(summary: Summary) -> Iterator[Table]:
    yield tables.crossovers(summary)
    yield from tables.latencies(summary, per_query=False, searched=False)
    yield from tables.latencies(summary, per_query=True, searched=False)
    yield from tables.relative(summary)
    yield from tables.waterfalls(summary)
    yield tables.fidelity(summary)
    yield tables.limits(summary)
    yield tables.details(summary)


def _with_note(found: Table, summary: Summary) -> Iterator[str]:
    yield _grid(found)
    if found.note:
        yield f'<p class="dim">{escape(found.note)}</p>'
    if found.name == "fidelity":
        yield from (f"<p>{escape(each)}</p>" for each in summary.remarks)


def _figure(picture: Plot) -> str:
    """A place for a plot; the script draws it, and says so where it cannot."""
    return (
        f"<figure><figcaption><h2>{escape(picture.title)}</h2></figcaption>"
        f'<div class="plot" data-plot="{escape(picture.name)}">'
        f"<noscript>This plot needs JavaScript; the tables below hold its figures.</noscript></div>"
        f'<p class="dim">{escape(picture.caption)}</p></figure>'
    )


def _grid(found: Table) -> str:
    """A table whose columns are sorted by a click on their heading."""

    def kind(column: int) -> str:
        return ' class="number"' if column in found.numeric else ""

    head = "".join(
        f'<th{kind(column)} scope="col"><button type="button">{escape(name)}</button></th>'
        for column, name in enumerate(found.columns)
    )
    rows = "".join(
        "<tr>"
        + "".join(f"<td{kind(column)}{_sorted_by(entry)}>{escape(entry.text)}</td>" for column, entry in enumerate(row))
        + "</tr>"
        for row in found.rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _sorted_by(entry: Entry) -> str:
    return "" if entry.value is None else f' data-value="{entry.value!r}"'


def _machine(summary: Summary) -> Iterator[str]:
    pairs = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in machine.machine(summary))
    yield from _section("Machine and versions", [f"<dl>{pairs}</dl>"])
    lines = [f"<p>Seed {summary.run.seed}, commit {escape(summary.run.commit or 'unknown')}.</p>"]
    if summary.run.command:
        lines.append(f"<pre>{escape(summary.run.command)}</pre>")
    suite = json.dumps(summary.run.model_dump(mode="json")["suite"], indent=1, ensure_ascii=False)
    lines.append(f"<details><summary>the suite as it was run</summary><pre>{escape(suite)}</pre></details>")
    yield from _section("Reproduce", lines)


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<section><h2>{escape(title)}</h2>"
    yield from lines
    yield "</section>"


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    told = list(lines)
    if told:
        yield from _section(title, ["<ul>", *(f"<li>{escape(line)}</li>" for line in told), "</ul>"])


def _inert(text: str) -> str:
    """JSON that cannot end its script element."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _closed(script: str) -> str:
    """A script that cannot end its own element."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _resource(name: str) -> str:
    return files("harness.report").joinpath(name).read_text(encoding="utf-8")
