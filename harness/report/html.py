"""A run as one HTML file: no request to anywhere, light and dark, on a phone and in print."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from harness import units
from harness.analysis.data import lines
from harness.report import machine, ranking, reproduce, spans, tables, templates, wording
from harness.report.answers import answers, by_race
from harness.report.plots import plots
from harness.report.plots.grammar import MOST_LABELS, colours, shapes
from harness.report.plots.pairs import evidence
from harness.report.table import Entry, Table, interval, text
from harness.report.vega import bundle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.summary import SearchSummary, Summary
    from harness.report.answers import Answer

POLICY = (  # Vega compiles its expressions, hence unsafe-eval; nothing may be loaded or sent
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data:"
)
_MARKS = {
    "circle": "\u25cf", "square": "\u25a0", "triangle-up": "\u25b2", "diamond": "\u25c6", "cross": "\u271a",
    "triangle-down": "\u25bc",
}  # fmt: skip
_CLASSES = {"reproduced": "good", "not reproduced": "differs", "not comparable here": "dim"}

_FAMILIES = {
    "crossovers": "Crossovers", "latency": "Latency", "relative": "Relative speed", "waterfall": "Steps of slowdowns",
    "fidelity": "Fidelity", "limits": "Limits", "cells": "All cells",
}  # fmt: skip


def render(summary: Summary) -> str:
    """The whole page. The template escapes everything that comes from suites, plugins and records."""
    pictures = plots(summary)
    lead_map = next((each for each in pictures if each.name == "lead-map"), None)
    pairs = next((each for each in pictures if each.name == "pairs"), None)
    others = [each for each in pictures if each not in (lead_map, pairs)]
    found = answers(summary)
    shown = [each for each in _tables(summary) if each.rows]
    anchors = _anchors(shown)
    names = list(colours(summary))
    chosen = ranking.leading(summary, MOST_LABELS) if not summary.suite.races and len(names) > MOST_LABELS else []
    sections = [("Charts", "charts")] if others else []
    sections += [("Pairs over time", "pairs")] if pairs else []
    sections += [("Documented", "documented")] if summary.documented else []
    sections += _families(shown, anchors)
    sections += [("Self-check", "self-check"), ("Machine", "machine"), ("Reproduce", "reproduce")]
    return templates.render(
        "page.html.jinja",
        about=[list(_warnings_about(each, summary)) for each in found],
        anchors=anchors,
        answers=found,
        batches=sorted({each.search.case.batch_size for each in found}),
        best=None if found else _best(summary),
        bundle=script(bundle()),
        checks=_checks(summary),
        chosen=chosen,
        classes=_CLASSES,
        commands=reproduce.commands(summary),
        colours=colours(summary),
        data=list(lines(summary.data)),
        dispatch=[each.sentence for each in summary.dispatch if each.sentence],
        documented=tables.documented(summary),
        facts=machine.machine(summary),
        failures=tables.failures(summary),
        groups=by_race(found),
        headline=wording.headline(summary),
        joint=_joint(summary),
        keys={name: f"key-{place}" for place, name in enumerate(names)},
        lead_map=lead_map,
        pairs=pairs,
        plots=others,
        policy=POLICY,
        published=any(each.published for each in found),
        script=script(resource("page.js")),
        sections=sections,
        specs=script_json(
            {
                "plots": {each.name: each.chart.to_dict(validate=False) for each in pictures},
                "searches": [_search(each) for each in summary.searches if each.located is not None],
                "races": {each.name: [each.baseline, each.challenger] for each in summary.suite.races},
                "chosen": chosen,
                "pairs": evidence(summary) if pairs else [],
            }
        ),
        style=Markup(resource("page.css") + _key_bindings(summary)),  # noqa: S704  of this package
        suite=json.dumps(summary.run.model_dump(mode="json")["suite"], indent=1, ensure_ascii=False),
        summary=summary,
        tables=shown,
        warnings=[*summary.warnings, *wording.cell_warnings(summary)],
    )


def script_json(value: Any) -> Markup:
    """JSON that cannot end its script element."""
    written = json.dumps(value, separators=(",", ":"))
    return Markup(written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704  has no markup


def script(source: str) -> Markup:
    """A script of the package, which cannot end its own element."""
    return Markup(source.replace("</script", "<\\/script").replace("<!--", "<\\!--"))  # noqa: S704  of this package


def resource(name: str) -> str:
    """A file beside this one."""
    return files("harness.report").joinpath(name).read_text(encoding="utf-8")


def _warnings_about(answer: Answer, summary: Summary) -> Iterator[str]:
    """The published figures of a race at a batch size, and what is to be doubted of the cells of its contenders."""
    case = answer.search.case
    yield from (each.sentence for each in summary.documented if each.subject == case.title)
    pair = (case.baseline, case.challenger)
    here = [each for each in summary.cells if each.contender in pair and each.batch_size == case.batch_size]
    yield from (f"warning: {each}" for each in wording.warnings_of(here))


def _tables(summary: Summary) -> Iterator[Table]:
    yield tables.crossovers(summary)
    yield from tables.latencies(summary, per_query=False, searched=False)
    yield from tables.latencies(summary, per_query=True, searched=False)
    yield from tables.relative(summary)
    yield from tables.waterfalls(summary)
    yield from tables.stepwise(summary)
    yield tables.fidelity(summary)
    yield tables.limits(summary)
    yield tables.details(summary)


def _anchors(shown: list[Table]) -> list[str]:
    """A name for each table, each used once."""
    used: dict[str, int] = {}
    found = []
    for each in shown:
        used[each.name] = used.get(each.name, 0) + 1
        found.append(f"table-{each.name}" + (f"-{used[each.name]}" if used[each.name] > 1 else ""))
    return found


def _families(shown: list[Table], anchors: list[str]) -> list[tuple[str, str]]:
    """A link to the first table of each kind."""
    found: dict[str, str] = {}
    for table, anchor in zip(shown, anchors, strict=True):
        found.setdefault(_FAMILIES.get(table.name.partition("-")[0], table.title), anchor)
    return list(found.items())


def _checks(summary: Summary) -> Table:
    """The races of contenders against themselves."""
    rows = tuple(
        (
            text(each.contender), Entry(f"{each.heads:,}", each.heads), Entry(f"{each.batch_size}", each.batch_size),
            interval(each.ratio, units.ratio), Entry(f"{each.ratio.launches}", each.ratio.launches),
            text("differs" if each.false_verdict else "alike"),
        )
        for each in summary.self_check.points
    )  # fmt: skip
    return Table(
        name="self-check", title="Contenders raced against themselves",
        columns=("contender", "N", "batch", "ratio", "launches", "verdict"), rows=rows, numeric=(1, 2, 3, 4),
    )  # fmt: skip


def _best(summary: Summary) -> Table | None:
    """What a run without races answers."""
    headings, rows = ranking.best(summary)
    title = "Fastest at each N" if "fastest" in headings else "Closest to the teacher"
    number = tuple(place for place, name in enumerate(headings) if name not in ("fastest", "next", "best by cosine"))
    found = tuple(tuple(text(each) for each in row) for row in rows)
    return Table(name="best", title=title, columns=headings, rows=found, numeric=number) if rows else None


def _key_bindings(summary: Summary) -> str:
    """The colour and mark of each contender, for tables."""
    hues, marks = colours(summary), shapes(summary)
    return "".join(
        f'.key-{place}::before {{ content: "{_MARKS[marks[name]]}" / ""; color: {hues[name]}; }}\n'
        for place, name in enumerate(hues)
    )


def _joint(summary: Summary) -> str:
    if summary.joint_confidence is None:
        return ""
    return f"All stated crossings hold at once with a confidence of at least {summary.joint_confidence:.0%}."


def _search(search: SearchSummary) -> dict[str, Any]:
    """What the page needs to say who is faster at an N."""
    assert search.located is not None
    location = search.located.location
    return {
        "race": search.case.race, "batch": search.case.batch_size, "baseline": search.case.baseline,
        "challenger": search.case.challenger, "undecided": spans.undecided(location),
        "spans": [
            [each.low, each.high, each.faster or "", each.log_ratio, each.log_low, each.log_high]
            for each in spans.leads(location)
        ],
    }  # fmt: skip
