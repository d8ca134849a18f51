"""The page in a real browser: every width, light, dark and print, its accessibility tree, and what a stranger asks of it."""

from __future__ import annotations

import re

import pytest

from harness.report import html
from tests.report.accessibility import BY_LOOKS, engine, violations
from tests.report.browser import CHROMIUM, DRIVER, browser

pytestmark = pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no Chromium or chromedriver here")
needs_axe = pytest.mark.skipif(engine() is None, reason="axe-core-python is not installed")
DRAWN = "document.body && document.body.dataset.drawn === 'yes'"
NAMES = "['loop', 'teacher', 'student', 'student-eager']"


@pytest.fixture(scope="module")
def address(summary, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html.render(summary), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def page(window, address):
    """The page at 1280 x 800, light, as it is when it was opened."""
    window.resize(1280, 800)
    window.prefer("light")
    window.open("about:blank")
    window.open(address)
    window.wait(DRAWN)
    return window


def named(window, plot):
    """The contenders that a chart names, beside its lines or in a legend."""
    script = f"""return [...document.querySelectorAll('[data-plot="{plot}"] svg text')]
        .map((each) => each.textContent).filter((each) => {NAMES}.includes(each))"""
    return sorted(window.run(script))


SHOWN = {
    400: ("dark", ""),
    800: ("light", "print"),
    1280: ("light", ""),
}  # in which axe looks at a width; at the last, by all rules


@pytest.fixture(scope="module", params=SHOWN)
def width(request, window, address):
    """Of the page, which was opened at it."""
    window.resize(request.param, 800)
    window.prefer("light")
    window.open(address)
    window.wait(DRAWN)
    return request.param


def test_it_fits_three_widths_in_light_dark_and_print_without_complaint_or_request(window, width):
    for scheme, media in (("light", ""), ("dark", ""), ("light", "print")):
        window.prefer(scheme, media)
        assert window.run("return document.documentElement.scrollWidth - innerWidth") <= 0 or media == "print"
    window.prefer("light")
    assert window.requested() == []
    assert window.complaints() == []


def test_the_lead_map_is_on_the_first_screen_and_beside_the_answers_where_there_is_room(window, width):
    script = """return [...document.querySelectorAll('.first .plot svg, table.answers')]
        .map((each) => each.getBoundingClientRect().bottom)"""
    chart, answers = window.run(script)
    assert chart <= 800
    assert answers <= 800 or width < 1280


@needs_axe
def test_axe_finds_no_violation(window, width):
    window.prefer(*SHOWN[width])
    window.run("for (const each of document.querySelectorAll('button.more')) each.click()")
    assert violations(window, rules=() if width == 1280 else BY_LOOKS) == []
    window.prefer("light")


@needs_axe
def test_axe_sees_what_it_looks_for(page):
    """A check that cannot fail proves nothing."""
    page.run("document.querySelector('main').append(document.createElement('input'))")
    assert any(each.startswith("label: ") for each in violations(page, "main > input"))


def test_at_most_six_series_are_named_where_they_end_and_the_choice_holds_for_all_charts(page):
    charts = ".plot:not([data-plot=lead-map], [data-plot^=waterfall])"
    assert page.run(f"return document.querySelectorAll('{charts} .role-legend-label').length") == 0
    assert named(page, "latency-batch-1") == ["loop", "student-eager"]  # what the first race needs
    choose = """const form = document.getElementById("series"); form.elements.race.value = arguments[0];
        document.body.dataset.drawn = "again"; form.elements.race.dispatchEvent(new Event("change", { bubbles: true }))"""
    page.run(choose, "best")
    page.wait(DRAWN)
    for plot in ("latency-batch-1", "latency-batch-32"):
        assert named(page, plot) == ["student", "teacher"]
    assert page.run("return document.querySelector('figure[data-race=documented]').hidden")
    options = page.run("return [...document.querySelector('#seen select').options].map((each) => each.text)")
    assert options
    assert all(each.startswith("best at batch ") for each in options)
    page.run(choose, "")
    page.wait(DRAWN)
    assert named(page, "latency-batch-1") == ["loop", "student", "student-eager", "teacher"]


def test_the_pairs_of_another_search_and_n_are_one_choice_away(page):
    count = "return document.querySelectorAll('[data-plot=pairs] .role-mark path[aria-label^=pair]').length"
    first = page.run(count)
    assert first > 8
    label = "return document.querySelector('[data-plot=pairs] .role-mark path[aria-label^=pair]').getAttribute('aria-label')"
    before = page.run(label)
    page.run("""const select = document.querySelector('#seen select'); select.selectedIndex = select.options.length - 1;
        select.dispatchEvent(new Event("change", { bubbles: true }))""")
    page.wait(f"(() => {{ {label} }})() !== {before!r}")
    assert re.match(r"pair.*ratio", page.run(label))
    assert page.complaints() == []


def test_tables_copy_as_markdown_and_commands_as_they_are(page, summary):
    page.click(".ask button.copy")
    copied = page.run("return document.body.dataset.copied").splitlines()
    assert copied[0] == "| race | batch | N\\* (interval) | published |"
    assert len(copied) == 2 + len(summary.searches)
    assert copied[2].startswith("| documented loop → student-eager | 1 | ")
    page.click("section:not(.first) button.copy")
    assert page.run("return document.body.dataset.copied").startswith("| contender |")
    page.click("#reproduce ~ .tools button.copy")
    assert page.run("return document.body.dataset.copied").splitlines() == [
        "git checkout 0123456789ab",
        "harness run suites/synthetic.yaml --output results/synthetic-again",
        "harness compare results/synthetic results/synthetic-again",
        "harness verify results/synthetic",
    ]
    page.click("figure button.save")
    page.wait("document.body.dataset.saved === 'lead-map.svg'")


QUESTIONS = {  # what a stranger asks, the clicks beside typing N, and where the answer then is
    "which one for N = 500, batch 32?": (["#ask button"], "#asked"),
    "is it sure?": (["button.more"], "tr.more:not([hidden])"),
    "by how much, and how right?": ([], "#answers ~ .scroll, [data-plot=lead-map]"),
    "what does that rest on?": (['a[href="#pairs"]'], "[data-plot=pairs] svg"),
    "can this machine be believed?": (['a[href="#self-check"]'], "#self-check ~ p"),
    "how do I make it again?": (['a[href="#reproduce"]', "#reproduce ~ .tools button.copy"], "#reproduce ~ pre"),
}


EXPECTED = {
    "which one for N = 500, batch 32?": r"documented: student-eager is faster, about [\d.]+x .* best: ?teacher is faster|"
    r"documented: student-eager is faster.*best: teacher is faster",
    "is it sure?": r"95 % CI \d+ to \d+",
    "can this machine be believed?": r"A/A test passed",
    "how do I make it again?": r"harness run suites/synthetic\.yaml",
}


def test_a_stranger_finds_each_answer_within_two_clicks(page):
    ask = "const form = document.getElementById('ask'); form.elements.heads.value = '500'; form.elements.batch.value = '32'"
    for question, (clicks, place) in QUESTIONS.items():
        assert len(clicks) <= 2
        page.run(ask)
        for selector in clicks:
            page.click(selector)
        assert page.run("return document.querySelector(arguments[0]).checkVisibility()", place), question
        text = page.run("return document.querySelector(arguments[0]).textContent", place)
        assert re.search(EXPECTED.get(question, "."), text), question
    assert page.run("return document.querySelector('button.more').getAttribute('aria-expanded')") == "true"
