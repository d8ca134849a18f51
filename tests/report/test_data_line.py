"""The data head every report: a reader who sees nothing else sees which heads at which temperature."""

from __future__ import annotations

import html as markup
import io
import json

import pytest
from rich.console import Console

from harness.analysis.summary import summarise
from harness.report import data, html, markdown, terminal
from harness.report.verification import verify
from tests.report.conftest import write
from tests.synthetic import Maker

SOURCE = {
    "kind": "real", "description": "projection 2 ('[red]|<b>') of lda.db, first 18 of 18 heads", "digest": "9" * 64,
    "heads": 18, "width": 384, "output_width": 384, "temperature": 0.1, "train_queries": 122, "held_out_queries": 12,
    "notes": ["lda.db also holds 1 ('cool', T = 1.0, N = 18): choose one by its id with the option `projection`"],
}  # fmt: skip
LINE = (
    "projection 2 ('[red]|<b>') of lda.db, first 18 of 18 heads; N = 18, T = 0.1; "
    "122 training and 12 held-out queries (fewer than 30); real; digest 999999999999"
)
OTHER = "student: the first 18 topics of the playbook at T = 1; N = 18, T = 1; 182 training and 48 held-out"


@pytest.fixture(scope="module")
def maker():
    return Maker().table()


@pytest.fixture(scope="module")
def evidence(maker):
    own = SOURCE | {"description": "the first 18 topics of the playbook at T = 1", "temperature": 1.0, "notes": []}
    own |= {"train_queries": 182, "held_out_queries": 48}
    return maker.evidence(source=SOURCE, sources={"student": own})


@pytest.fixture(scope="module")
def summary(evidence):
    return summarise(evidence)


def shown(summary):
    out = io.StringIO()
    terminal.render(summary, Console(file=out, width=80, force_terminal=False, color_system=None))
    return {"terminal": out.getvalue(), "markdown": markdown.render(summary), "html": html.render(summary)}


@pytest.mark.parametrize("form", ["terminal", "markdown", "html"])
def test_the_data_come_before_any_figure(summary, form):
    escaped = {"terminal": str, "markdown": markdown.escape, "html": markup.escape}[form]
    found = shown(summary)[form]
    places = [found.index(escaped(line)) for line in (LINE, SOURCE["notes"][0], OTHER)]
    assert places == sorted(places)
    first = {"terminal": "Median ms per call", "markdown": "## Answers", "html": ">Answers<"}[form]
    assert places[-1] < found.index(first)


def test_they_are_in_the_json_report(summary):
    shared, own = json.loads(data.to_json(summary))["data"]
    assert shared["contenders"] == []
    assert own["contenders"] == ["student"]
    names = ("description", "kind", "heads", "temperature", "train_queries", "held_out_queries", "digest", "notes")
    assert {name: shared[name] for name in names} == {name: SOURCE[name] for name in names}


def test_changed_data_do_not_agree_with_the_report(tmp_path, maker, summary, evidence):
    folder = write(maker, tmp_path / "run", summary)
    path = folder / "run.json"
    told = json.loads(path.read_text()) | {"source": SOURCE, "sources": evidence.run.model_dump()["sources"]}
    path.write_text(json.dumps(told))
    assert verify(folder).agrees
    path.write_text(json.dumps(told | {"source": SOURCE | {"temperature": 1.0}}))
    assert not verify(folder).agrees


@pytest.mark.parametrize(
    ("queries", "warning"),
    [
        (1, "at N = 18 fidelity was scored on one held-out query: it has no interval"),
        (12, "at N = 18 fidelity was scored on 12 held-out queries, fewer than 30: its intervals are too narrow"),
    ],
)
def test_too_few_held_out_queries_are_a_warning(queries, warning):
    maker = Maker().table()
    maker.score("student", 18, 0.1, mean_cosine=0.8647)
    maker.fidelities = [each.model_copy(update={"queries": queries}) for each in maker.fidelities]
    found = shown(summarise(maker.evidence()))
    assert f"Warnings\n  {warning}" in found["terminal"]
    assert warning in found["markdown"]
    assert warning in found["html"]
