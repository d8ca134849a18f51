"""The page: complete, offline, inert against hostile names, and drawn without an error in a real browser."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.analysis.diagnostics import Diagnostic
from harness.analysis.summary import summarise
from harness.report import html
from harness.report.answers import answers
from harness.report.plots import plots, save
from tests.baselines import baseline

ROOT = Path(__file__).parents[2]
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def tags(text):
    """Every tag that a parser of HTML sees, with its attributes."""
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found.append((tag, dict(attributes)))

    Reader().feed(text)
    return found


@pytest.fixture(scope="module")
def page(summary):
    return html.render(summary)


def test_every_answer_and_verdict_is_on_the_page(page, summary):
    for search in summary.searches:
        assert search.sentence in page
    for each in summary.documented:
        assert each.sentence.replace(">", "&gt;") in page
    assert "student-eager" in page
    assert "it answers NaN" in page
    assert "harness run suites/synthetic.yaml" in page


def test_it_is_one_file_that_asks_for_nothing(page):
    assert len(page) < 2e6
    links = [
        each for _, attributes in tags(page) for name, each in attributes.items() if name in ("src", "href", "srcset")
    ]
    assert all(each.startswith("#") for each in links)
    (policy,) = (each["content"] for tag, each in tags(page) if tag == "meta" and "http-equiv" in each)
    assert "default-src 'none'" in policy


def test_the_page_begins_with_the_lead_map_and_the_answers(page, summary):
    first = page[page.index("<main>") : page.index("<nav")]
    assert 'data-plot="lead-map"' in first
    for each in answers(summary):
        assert each.crossover in first
        assert each.search.sentence in first
    assert page.index('id="charts"') > page.index("<nav")


def test_every_link_leads_to_a_section(page):
    found = tags(page)
    names = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(names) == len(set(names))
    assert {attributes["href"][1:] for tag, attributes in found if tag == "a"} <= set(names)


def test_a_contender_has_one_colour_and_one_mark_in_all_charts(summary):
    known = {}
    for plot in plots(summary):
        for part in _encodings(plot.chart.to_dict(validate=False)):
            for channel in ("color", "shape"):
                scale = part.get(channel, {}).get("scale", {})
                if part.get(channel, {}).get("field") == "contender" and plot.name != "fidelity":
                    for name, value in zip(scale["domain"], scale["range"], strict=True):
                        known.setdefault((channel, name), set()).add(value)
    assert known
    assert {key: len(values) for key, values in known.items()} == dict.fromkeys(known, 1)
    names = [name for channel, name in known if channel == "color"]
    assert len({(*known["color", name], *known["shape", name]) for name in names}) == len(names)


def _encodings(part):
    if isinstance(part, dict):
        if "encoding" in part:
            yield part["encoding"]
        for each in part.values():
            yield from _encodings(each)
    elif isinstance(part, list):
        for each in part:
            yield from _encodings(each)


def test_the_plots_cover_the_run(summary):
    assert [each.name for each in plots(summary)] == [
        "lead-map", "latency-batch-1", "latency-batch-32", "slowdown-batch-1", "slowdown-batch-32",
        "frontier", "fidelity", "waterfall-documented-batch-1", "waterfall-documented-batch-32", "pairs",
    ]  # fmt: skip


def test_documented_figures_are_drawn_on_the_latencies_as_such(summary):
    found = {each.name: each for each in plots(summary)}
    single = found["latency-batch-1"]
    assert "Dotted lines are documented crossovers; diamonds are documented slowdowns" in single.caption
    spec = single.chart.to_dict(validate=False)
    drawn = [list(spec["datasets"][layer["data"]["name"]]) for layer in spec["layer"] if "data" in layer]
    values = [each for each in drawn if "documented" in each[0]]
    lines, labels, points = values
    assert [each["N"] for each in lines] == [400]
    assert labels[0]["label"].startswith("documented: ")
    baseline = summary.cell("loop", 18, 1).call.value
    assert points == [
        {"contender": "student-eager", "N": 18, "ms": pytest.approx(24e3 * baseline), "documented": "24x"}
    ]
    layers = found["slowdown-batch-1"].chart.to_dict(validate=False)["layer"]
    assert any(layer["mark"].get("shape") == "diamond" for layer in layers)


def test_doubts_are_at_the_rows_that_they_concern(summary):
    doubt = Diagnostic("drift", "it drifted by 7 %", "measure it again")
    cells = tuple(
        dataclasses.replace(each, warnings=(doubt,))
        if (each.contender, each.heads, each.batch_size) == ("teacher", 1024, 32)
        else each
        for each in summary.cells
    )
    text = html.render(dataclasses.replace(summary, cells=cells))
    told = "<p>it drifted by 7 %: measure it again</p></details>"
    assert text.count(told) == 3  # per call, per query, and in the table of all cells
    more = {number: text[text.index(f'id="more-{number}"') :].partition("</tr>")[0] for number in range(4)}
    concerned = [each.search.case.label for place, each in enumerate(answers(summary)) if "drifted" in more[place]]
    assert concerned == ["best at batch 32"]


def test_plots_are_written_as_pictures(summary, tmp_path):
    for path in save(summary, tmp_path, "svg"):
        assert path.read_text().startswith("<svg")


def test_hostile_texts_are_inert(made, summary):
    suite = made.suite.model_dump(mode="json", by_alias=True) | {"description": HOSTILE}
    suite["documented"]["source"] = HOSTILE
    hostile = made.evidence(suite=suite, command=HOSTILE, machine={"processor": HOSTILE}, warnings=(HOSTILE,))
    text = html.render(summarise(hostile, made.located))
    found = tags(text)
    assert not [tag for tag, _ in found if tag in ("img", "iframe", "object")]
    assert len([tag for tag, _ in found if tag == "script"]) == 3
    assert not [name for _, attributes in found for name in attributes if name.startswith("on")]


def test_the_specs_are_readable_json(page, summary):
    found = re.search(r'<script type="application/json" id="specs">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    assert set(json.loads(found[1])["plots"]) == {each.name for each in plots(summary)}


PROBE = """<script>
const told = (what) => { document.body.dataset.error = `${document.body.dataset.error ?? ""}${what}; `; };
addEventListener("error", (event) => told(event.message));
addEventListener("unhandledrejection", (event) => told(`rejected: ${event.reason}`));
addEventListener("securitypolicyviolation", (event) => told(`forbidden: ${event.violatedDirective}`));
console.error = console.warn = (...words) => told(words.join(" "));
const column = (table, place) => [...table.tBodies[0].rows].map((row) => row.children[place].textContent);
function sorted() {
  if (document.body.dataset.drawn !== "yes") return setTimeout(sorted, 50);
  const heading = [...document.querySelectorAll("th.number:has(button)")].find((each) => {
    const table = each.closest("table");
    return new Set(column(table, [...each.parentElement.children].indexOf(each))).size > 2;
  });
  const table = heading.closest("table"), place = [...heading.parentElement.children].indexOf(heading);
  const seen = [];
  for (let click = 0; click < 2; click += 1) {
    heading.querySelector("button").click();
    const cells = [...table.tBodies[0].rows].map((row) => row.children[place].dataset.value);
    const values = cells.filter((each) => each !== undefined).map(Number);
    seen.push({ values, aria: heading.getAttribute("aria-sort") });
  }
  document.body.dataset.sorted = JSON.stringify(seen);
}
addEventListener("load", sorted);
</script>"""


def driven(text, folder):
    """The attributes of the body and the document after a browser without any network has drawn and sorted the page."""
    path = folder / "page.html"
    path.write_text(text.replace("<main>", PROBE + "<main>", 1), encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM or "", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9",
            f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=30000", "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, timeout=150, check=True,
    )  # fmt: skip
    found = [attributes for tag, attributes in tags(done.stdout) if tag == "body"]
    assert found, done.stderr
    return found[0], done.stdout


def check_drawn(body, document, plots_wanted):
    """No error of any kind, every plot there, and a column that was sorted by two clicks, up and then down."""
    assert "data-error" not in body, body["data-error"]
    assert body["data-drawn"] == "yes"
    drawn = re.findall(r'<div class="plot[^"]*" data-plot="([^"]+)"[^>]*>.*?<svg', document, re.DOTALL)
    assert set(drawn) == plots_wanted
    up, down = json.loads(body["data-sorted"])
    assert (up["aria"], down["aria"]) == ("ascending", "descending")
    assert up["values"] == sorted(up["values"])
    assert down["values"] == sorted(down["values"], reverse=True)
    assert len(set(up["values"])) > 1


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_a_browser_draws_the_committed_baseline_without_an_error(tmp_path):
    summary = baseline("crossover")
    text = html.render(summary)
    assert len(text.encode()) < 2e6
    body, document = driven(text, tmp_path)
    check_drawn(body, document, {each.name for each in plots(summary)})


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_a_browser_runs_nothing_that_records_and_suites_say(made, tmp_path):
    suite = made.suite.model_dump(mode="json", by_alias=True) | {"description": HOSTILE}
    evidence = made.evidence(suite=suite)
    renamed = tuple(
        each.model_copy(update={"contender": HOSTILE}) if each.contender == "loop" and each.purpose == "table" else each
        for each in evidence.measurements
    )
    summary = summarise(dataclasses.replace(evidence, measurements=renamed), made.located)
    body, document = driven(html.render(summary), tmp_path)
    check_drawn(body, document, {each.name for each in plots(summary)})
    assert "<title>synthetic: crossovers</title>" in document
    assert [tag for tag, _ in tags(document)].count("img") == 0
    assert "&lt;/script&gt;" in document


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_the_probe_sees_what_it_looks_for(page, tmp_path):
    """A check that cannot fail proves nothing."""
    bad = (
        "<script>Promise.reject('lost'); console.error('said'); fetch('https://example.org/x').catch(() => 0);</script>"
    )
    head, _, rest = page.partition("<main>")
    body, _ = driven(f"{head}<main></main>{bad}{rest.partition('</main>')[2]}", tmp_path)
    for word in ("rejected: lost", "said", "forbidden: connect-src"):
        assert word in body["data-error"]
