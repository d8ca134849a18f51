"""Many runs: the site that is built, what it shows, and how a reader gets to an answer, in a real browser."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import threading
from html.parser import HTMLParser

import pytest

from harness.errors import ResourceError
from harness.report.site import build
from harness.report.site.serving import Site
from tests.report.accessibility import BY_LOOKS, engine, violations
from tests.report.browser import CHROMIUM, DRIVER, browser
from tests.report.runs import NEWER, STEP, write

needs_browser = pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no Chromium or chromedriver here")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return folder, write(folder)


@pytest.fixture(scope="module")
def site(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages") / "site"
    return folder, build(runs[0], folder)


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


def links(text):
    """Where the links and scripts of a page lead to."""
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found.extend(value for name, value in attributes if name in ("href", "src"))

    Reader().feed(text)
    return found


def test_every_run_and_race_has_a_page_and_every_link_leads_somewhere(site, runs):
    folder, built = site
    assert (built.runs, built.again, built.broken) == (40, 40, ())
    pages = list(folder.rglob("*.html"))
    assert len(pages) == 2 + 40 + 6  # the list, the comparison, runs, races of the crossover suite
    for page in pages:
        for link in links(page.read_text(encoding="utf-8")):
            assert (page.parent / link.partition("#")[0]).exists(), (page, link)
    for run in runs[1]:
        copied = folder / "runs" / run.name / "measurements.jsonl"
        assert copied.read_bytes() == (run / "measurements.jsonl").read_bytes()


def test_a_race_over_time_shows_its_step_and_what_changed(site):
    folder, _ = site
    text = (folder / "races" / "crossover--eager.html").read_text(encoding="utf-8")
    first = text[: text.index("batch 32</h2>")]
    assert len(re.findall("<circle", first)) == 30
    (size,) = re.findall(r'class="step">([\d.]+)x</text>', first)
    assert float(size) == pytest.approx(0.7, rel=0.05)
    rows = re.findall(r"<tr><td>(\S+)</td>.*<td>([\d.]*)x?</td><td>(.*)</td></tr>", first)
    stepped = [day for day, step, _ in rows if step]
    assert stepped == ["2026-06-29"]  # run number STEP, seven days each
    assert STEP == 25
    assert [day for day, _, changed in rows if "torch: 2.13.0+cpu → 2.14.0+cpu" in changed] == ["2026-03-30"]
    assert NEWER == 12
    assert any("processor: AMD EPYC -&gt; Another Processor" in changed for _, _, changed in rows)


def test_only_what_has_changed_is_built_again(runs, tmp_path):
    results = tmp_path / "results"
    for each in runs[1][:6]:
        shutil.copytree(each, results / each.name)
    output = tmp_path / "site"
    build(results, output)
    assert build(results, output).again == 0
    changed = sorted(results.iterdir())[3]
    (changed / "run.json").write_text((changed / "run.json").read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert build(results, output).again == 1
    shutil.rmtree(changed)
    assert build(results, output).runs == 5
    assert not (output / "runs" / changed.name).exists()
    assert changed.name not in (output / "index.html").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_read_is_named_and_left_out(runs, tmp_path):
    shutil.copytree(runs[1][0], tmp_path / "results" / "good")
    (tmp_path / "results" / "bad").mkdir()
    (tmp_path / "results" / "bad" / "run.json").write_text("{", encoding="utf-8")
    built = build(tmp_path / "results", tmp_path / "site")
    assert built.runs == 1
    assert "run.json" in built.broken[0]
    with pytest.raises(ResourceError, match="there are no runs"):
        build(tmp_path / "nothing", tmp_path / "other")


def test_what_a_link_names_elsewhere_is_not_published(runs, tmp_path):
    target = tmp_path / "results" / "sent"
    shutil.copytree(runs[1][0], target)
    (tmp_path / "secret").write_text("a key", encoding="utf-8")
    for name in ("report.md", "report.html"):
        (target / name).unlink(missing_ok=True)
        (target / name).symlink_to(tmp_path / "secret")
    build(tmp_path / "results", tmp_path / "site")
    published = tmp_path / "site" / "runs" / "sent"
    assert (published / "run.json").exists()
    assert not [each for each in published.iterdir() if each.read_bytes() == b"a key"]


def test_hostile_names_are_inert(runs, tmp_path):
    hostile = "</script><img src=x onerror=alert(1)>"
    target = tmp_path / "results" / "a b & c"
    shutil.copytree(runs[1][0], target)
    run = json.loads((target / "run.json").read_text(encoding="utf-8"))
    run["suite"]["description"] = hostile  # a name that no suite may have is refused
    run["machine"]["processor"] = hostile
    run["versions"]["torch"] = hostile
    (target / "run.json").write_text(json.dumps(run), encoding="utf-8")
    build(tmp_path / "results", tmp_path / "site")
    for page in (tmp_path / "site").rglob("*.html"):
        assert "<img" not in page.read_text(encoding="utf-8")
    assert "</script" not in (tmp_path / "site" / "runs" / "a-b-c" / "figures.js").read_text(encoding="utf-8")


@needs_browser
def test_a_stranger_finds_the_answers_from_the_list_in_two_clicks(site, window):
    folder, _ = site
    window.open((folder / "index.html").as_uri())
    filtering = """
        const form = document.getElementById("filter");
        form.elements.text.value = arguments[0]; form.elements.suite.value = arguments[1];
        form.dispatchEvent(new Event("input"));
        const rows = [...document.querySelectorAll("#runs tbody tr")];
        return [document.getElementById("count").textContent, rows.filter((row) => !row.hidden).length]"""
    assert window.run(filtering, "another processor", "speed") == ["2 of 40 runs", 2]
    assert window.run(filtering, "", "") == ["40 of 40 runs", 40]

    # "Which one for N = 500?" and "is it sure?": click a run, unfold the answer.
    window.click('a[href="runs/crossover-20260803/index.html"]')
    window.wait("document.querySelector('h1').textContent === 'crossover-20260803'")
    window.click("tbody tr details summary")
    said = window.run("return document.querySelector('tbody tr details[open] p').textContent")
    assert re.fullmatch(r"student-eager is faster above about \d+ heads \(99 % CI \d+ to \d+\) at batch 1\.", said)

    # "What changed since last month?": tick two runs, click compare.
    window.open((folder / "index.html").as_uri())
    for name in ("crossover-20260706", "crossover-20260608"):
        window.click(f'input[value="{name}"]')
    window.click("#pair")
    window.wait("document.body && document.body.dataset.compared === 'yes'")
    text = window.run("return document.getElementById('compared').innerText")
    assert "moved: intervals do not overlap" in text
    assert "commit" in text
    assert "Latencies: 0 of " in text
    assert window.complaints() == []


@needs_browser
@pytest.mark.parametrize("width", [400, 800, 1280])
def test_pages_fit_three_widths_in_light_dark_and_print_without_complaint_or_request(site, window, width):
    folder, _ = site
    window.resize(width, 800)
    for page in ("index.html", "compare.html", "races/crossover--eager.html", "runs/crossover-20260803/index.html"):
        window.open((folder / page).as_uri())
        for scheme, media in (("light", ""), ("dark", ""), ("light", "print")):
            window.prefer(scheme, media)
            assert window.run("return document.documentElement.scrollWidth - innerWidth") <= 0 or media == "print"
        assert window.requested() == []
    window.prefer("light")
    assert window.complaints() == []


@needs_browser
@pytest.mark.skipif(engine() is None, reason="axe-core-python is not installed")
def test_axe_finds_no_violation_on_any_kind_of_page(site, window):
    folder, _ = site
    window.resize(1280, 800)
    both = "compare.html#old=crossover-20260608&new=crossover-20260706"
    for page in ("index.html", both, "races/crossover--eager.html", "runs/crossover-20260803/index.html"):
        window.open(f"{folder.as_uri()}/{page}")
        if page == both:
            window.wait("document.body && document.body.dataset.compared === 'yes'")
        for scheme, media in (("light", ""), ("dark", ""), ("light", "print")):
            window.prefer(scheme, media)
            rules = () if (scheme, media) == ("light", "") else BY_LOOKS
            assert violations(window, rules=rules) == [], (page, scheme, media)
    window.prefer("light")


def test_what_is_served_is_read_only_and_only_for_this_machine(runs, tmp_path):
    site = Site(runs[0], tmp_path / "served")
    threading.Thread(target=site.serve, daemon=True).start()
    try:

        def asked(method, path, **headers):
            connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

        assert site.address.startswith("http://127.0.0.1:")
        assert asked("GET", "/index.html")[0] == 200
        assert asked("GET", "/runs/")[0] == 404
        assert asked("GET", "/../../etc/passwd")[0] == 404
        assert asked("GET", "/index.html", Host="elsewhere.example")[0] == 403
        assert {asked(method, "/index.html")[0] for method in ("POST", "PUT", "DELETE")} == {501}
        assert asked("GET", "/changes") == (200, site.token.encode())
        (tmp_path / "served" / "report.html").write_text("<script>fetch('/index.html')</script>", encoding="utf-8")
        for path, apart in (("/report.html", True), ("/%72eport.html?x#y", True), ("/index.html", False)):
            connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
            connection.request("GET", path)
            policy = connection.getresponse().headers.get("Content-Security-Policy", "")
            assert policy.startswith("sandbox") == apart, path
            assert "allow-same-origin" not in policy
    finally:
        site.close()


@needs_browser
def test_a_run_appears_and_grows_while_it_is_measured(runs, tmp_path, window):
    results = tmp_path / "results"
    shutil.copytree(runs[1][0], results / "before")
    site = Site(results, tmp_path / "served")
    threading.Thread(target=site.serve, daemon=True).start()
    try:
        window.open(site.address)
        window.wait("document.querySelectorAll('#runs tbody tr').length === 1")
        now = results / "now"
        now.mkdir()
        run = json.loads((runs[1][1] / "run.json").read_text(encoding="utf-8")) | {
            "status": "running",
            "finished": None,
        }
        lines = (runs[1][1] / "measurements.jsonl").read_bytes().splitlines(keepends=True)
        (now / "measurements.jsonl").write_bytes(b"".join(lines[:2]))
        (now / "run.json").write_text(json.dumps(run), encoding="utf-8")
        window.wait("document.body.innerText.includes('2 records')")
        (now / "measurements.jsonl").write_bytes(b"".join(lines[:4]) + lines[4][:20])
        window.wait("document.body.innerText.includes('4 records')")
        (now / "run.json").write_text(json.dumps(run | {"status": "complete"}), encoding="utf-8")
        window.wait("!document.body.innerText.includes('running')")
        assert window.run("return document.querySelectorAll('#runs tbody tr').length") == 2
        assert window.complaints() == []
    finally:
        site.close()
