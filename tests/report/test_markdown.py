"""report.md against a golden one, and the terminal: what a reader must find there."""

from __future__ import annotations

import difflib
import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.analysis.summary import summarise
from harness.plan.sweep import sweep
from harness.records.crossovers import SearchRecord
from harness.report import html, markdown, tables, terminal, wording
from harness.search.result import Crossing, Location
from harness.suite.schema import Suite
from tests.synthetic import Maker

GOLDEN = Path(__file__).parents[1] / "fixtures" / "reports" / "synthetic.md"


def printed(summary, width=110):
    out = io.StringIO()
    terminal.render(summary, Console(file=out, width=width, force_terminal=False, color_system=None), verbose=True)
    return out.getvalue()


def answered():
    """A run whose searches' answers are written by hand: the golden report is not about how a search finds them."""
    maker = Maker().table().self_check().fail("student-eager", 1024, 32)
    maker.score(
        "student", 18, 1.0, mean_cosine=0.9896, min_cosine=0.97, skill=-1.1, constant_cosine=0.995, norm_error=12.6
    )
    cases = sweep(maker.suite).cases
    smooth = Crossing(5900, 5700, 6100, "challenger", 0.95, "smooth")
    there, back = (
        Crossing(113, 110, 117, "challenger", 0.95, "smooth"),
        Crossing(640, 640, 641, "baseline", 0.95, "step"),
    )
    locations = [
        Location("several", (there, back), 900, (), (), 2, 1024),
        Location("unresolved", (), 60, (), ("the budget is spent",), 2, 1024, (16, 32)),
        Location("crossing", (smooth,), 500, (), (), 18, 16384),
        Location("above", (), 300, (), (), 18, 16384),
    ]
    found = [SearchRecord(case=case, location=location) for case, location in zip(cases, locations, strict=True)]
    return summarise(maker.evidence(), found)


def test_the_report_is_the_golden_one():
    found = markdown.render(answered())
    if not GOLDEN.exists():  # pragma: no cover - deleted in order to be made anew, and then looked at
        GOLDEN.parent.mkdir(parents=True, exist_ok=True)
        GOLDEN.write_text(found, encoding="utf-8")
    difference = "\n".join(difflib.unified_diff(GOLDEN.read_text(encoding="utf-8").split("\n"), found.split("\n")))
    assert not difference, f"delete {GOLDEN.name} and look at the new one if this is meant:\n{difference}"


def test_the_report_says_every_answer(summary):
    found = markdown.render(summary)
    for search in summary.searches:
        assert markdown.escape(search.sentence) in found
    for each in summary.documented:
        assert markdown.escape(each.sentence) in found


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", "a\\|b"),
        ("<script>", "&lt;script\\>"),
        ("[x](javascript:y)", "\\[x\\](javascript:y)"),
        ("two\nlines", "two lines"),
        ("`code` *bold* _it_", "\\`code\\` \\*bold\\* \\_it\\_"),
        ("~~~ hides the rest", "\\~\\~\\~ hides the rest"),
        ("# a heading", "\\# a heading"),
        ("- an item", "\\- an item"),
        ("+ an item", "\\+ an item"),
        ("-5 %", "-5 %"),
        ("2. an item", "2\\. an item"),
        ("2.5 ms", "2.5 ms"),
        ("===", "\\==="),
        ("> a quote", "\\> a quote"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("$x$", "\\$x\\$"),
        ("https://x.y and www.x.y", "https:\\//x.y and www\\.x.y"),
        ("@team, a@b.c", "@&#8203;team, a@b.c"),
        ("\x1b[31m", "\\\\x1b\\[31m"),
    ],
)
def test_markup_in_names_is_escaped(text, escaped):
    assert markdown.escape(text) == escaped


def test_the_terminal_has_tables_answers_and_verdicts(summary):
    found = printed(summary)
    assert "Median ms per call, batch 1" in found
    assert "Median ms per call, batch 32" in found
    assert "Times as fast as loop, batch 32" in found
    assert "per query" not in found  # the same divided by the batch size: it is in the report
    assert "failed" in found
    for search in summary.searches:
        assert f"{search.case.race}: {search.sentence}" in found
    assert "● documented at batch 1: slowdown at N = 18 documented as 24x: not comparable here: " in found
    assert "student-eager at N = 16,384, batch 32: parity: it answers NaN" in found
    assert "does not beat a constant (0.9950)" in found
    assert summary.self_check.sentence in found


@pytest.mark.parametrize("width", [60, 80, 200])
def test_wide_tables_are_cut_into_several_that_fit(summary, width):
    lines = [line for line in printed(summary, width).splitlines() if line.startswith(("│", "┃", "┏"))]
    assert lines
    assert max(len(line) for line in lines) <= width


def test_names_are_never_read_as_markup(made):
    suite = made.suite.model_dump(mode="json", by_alias=True) | {"name": "plain"}
    suite["documented"]["source"] = "[red]a [/] document[/red]"
    found = printed(summarise(made.evidence(suite=suite, warnings=("[bold]note[/bold] [/]",)), made.located))
    assert "[bold]note[/bold] [/]" in found


def test_reservations_stand_beside_each_answer(made):
    found = printed(summarise(made.evidence(quick=True), made.located))
    assert (
        found.count("(quick run: fewer launches and wider precision)") == 2 * 4
    )  # among all sentences, and on the last screen


def test_an_empty_run_is_a_report_too():
    found = summarise(Maker().evidence(status="interrupted"), ())
    assert "not searched yet" in printed(found)
    assert "the run was interrupted" in markdown.render(found)


def test_doubts_are_told_once_with_the_rows_they_concern(made):
    found = wording.cell_warnings(summarise(Maker().table(launches=2).evidence(), ()))
    told = [each for each in found if each.startswith("only 2 launches")]
    assert len(told) == 1
    assert told[0].endswith("(loop at N = 18, batch 1 and 23 more)")


def noted(maker, **more):
    """A run with one answer that has a note, whose race may require something."""
    suite = {
        **maker.suite.model_dump(mode="json", by_alias=True),
        "races": [{"name": "best", "baseline": "teacher", "challenger": "student", "batch_sizes": [1], **more}],
        "documented": None,
    }
    evidence = maker.evidence()
    evidence = replace(evidence, run=evidence.run.model_copy(update={"suite": suite}))
    (case,) = sweep(Suite.model_validate(suite)).cases
    notes = ("a step that was not declared was found between N = 40 and 41",)
    found = Crossing(100, 90, 111, "challenger", 0.95, "smooth")
    location = Location("crossing", (found,), 400, (), notes, 18, 16384)
    return summarise(evidence, [SearchRecord(case=case, location=location)])


@pytest.mark.parametrize("render", [markdown.render, html.render, printed])
def test_the_notes_of_a_search_stand_under_its_answer(render):
    found = render(noted(Maker().table()))
    sentence, note = (
        found.index("is faster above about 100 heads"),
        found.index("note: a step that was not declared was found"),
    )
    assert sentence < note < sentence + 400


def test_the_table_of_crossovers_says_from_where_a_challenger_counts_that_must_be_right():
    maker = Maker().table()
    assert "qualified N*" not in tables.crossovers(noted(maker)).columns
    for heads, top1 in ((100, 0.5), (400, 0.97), (1600, 0.98)):
        maker.score("student", heads, 1.0, top1_agreement=top1)
    for bound, counts in ((0.95, "400"), (0.99, "never")):
        found = tables.crossovers(noted(maker, requires={"top1_agreement": bound}))
        assert found.columns[-1] == "qualified N*"
        assert [row[-1].text for row in found.rows] == [counts]
        (dispatched,) = noted(maker, requires={"top1_agreement": bound}).dispatch
        assert dispatched.choose(200, 1) == "teacher"
        assert dispatched.choose(2000, 1) == ("student" if counts == "400" else "teacher")
