"""The page: complete, offline, inert against hostile names, and drawn without an error in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from harness.analysis.summary import summarise
from harness.report import html
from harness.report.plot import plots, save

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
    for leg in summary.legs:
        assert leg.sentence in page
    for each in summary.documented:
        assert each.sentence.replace(">", "&gt;") in page
    assert "student-eager" in page
    assert "it answers NaN" in page
    assert "harness run suites/synthetic.yaml" in page


def test_it_is_one_file_that_asks_for_nothing(page):
    assert len(page) < 8e6
    assert not [name for _, attributes in tags(page) for name in attributes if name in ("src", "href", "srcset")]
    assert "default-src 'none'" in page


def test_the_plots_cover_the_run(summary):
    assert [each.name for each in plots(summary)] == [
        "latency-batch-1", "latency-batch-32", "slowdown-batch-1", "slowdown-batch-32", "frontier", "fidelity",
        "waterfall-documented-batch-1", "waterfall-documented-batch-32",
    ]  # fmt: skip


def test_documented_figures_are_drawn_on_the_latencies_as_such(summary):
    found = {each.name: each for each in plots(summary)}
    single = found["latency-batch-1"]
    assert "Dotted lines are documented crossovers; diamonds are documented slowdowns" in single.caption
    spec = single.chart.to_dict(validate=False)
    drawn = [spec["datasets"][layer["data"]["name"]] for layer in spec["layer"] if "data" in layer]
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
    assert set(json.loads(found[1])) == {each.name for each in plots(summary)}


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_a_browser_draws_it_without_an_error(made, tmp_path):
    """Driven over the network-less file: URL; the page tells what it drew in its own document."""
    suite = made.suite.model_dump(mode="json", by_alias=True) | {"description": HOSTILE}
    text = html.render(summarise(made.evidence(suite=suite), made.located))
    probe = """<script>
    addEventListener("error", (event) => { document.body.dataset.error = event.message; });
    console.error = (...words) => { document.body.dataset.error = words.join(" "); };
    </script>"""
    path = tmp_path / "page.html"
    path.write_text(text.replace("<main>", probe + "<main>", 1), encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM or "", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000", "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    body = re.search(r"<body[^>]*>", done.stdout)
    assert body is not None
    assert 'data-drawn="yes"' in body[0]
    assert "data-error" not in body[0]
    drawn = re.findall(r'<div class="plot[^"]*" data-plot="([^"]+)"[^>]*>.*?<svg', done.stdout, re.DOTALL)
    assert len(set(drawn)) == 8
    assert "<title>synthetic: crossovers</title>" in done.stdout
