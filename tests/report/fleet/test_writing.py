"""The report of a fleet: files, tables on a terminal, and the page in a real browser."""

from __future__ import annotations

import json
import re

import pytest

from harness.report.fleet import writing
from harness.report.fleet.forest import forests
from tests.command_line import called
from tests.report.accessibility import engine, violations
from tests.report.browser import CHROMIUM, DRIVER, browser
from tests.report.fleets import changed, write

needs_browser = pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no Chromium or chromedriver here")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write(tmp_path_factory.mktemp("fleet"), 9)


@pytest.fixture(scope="module")
def nine(folders):
    return writing.of(folders)


@pytest.fixture(scope="module")
def written(nine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return folder, writing.write(nine, folder)


def test_every_part_of_a_forest_keeps_altairs_schema(nine):
    assert len(forests.__wrapped__(nine)) == len(forests(nine)) > 0


def test_the_command_prints_tables_and_writes_three_files(folders, tmp_path):
    done = called("report", "fleet", *folders[:2], cwd=tmp_path)
    assert done.returncode == 0
    assert "2 machines, " in done.stdout
    assert re.search(r"documented +│ +1 +│ A +│", done.stdout)
    assert "2 machines with one N*: the spread between machines is estimated from 8 on" in done.stdout
    assert sorted(each.name for each in (tmp_path / "fleet-report").iterdir()) == [
        "fleet.html",
        "fleet.json",
        "fleet.md",
    ]


def test_what_belongs_to_one_run_or_to_a_fleet_is_said(folders):
    for words, sentence in (
        ((folders[0], folders[1]), "several runs were given"),
        ((folders[0], "--force"), "--output and --force belong to a report of several machines"),
        (("fleet", folders[0], "--format", "csv"), "a report of several machines has no CSV form"),
        (("fleet", folders[0], "--plots", "x"), "--plots takes one run"),
        (("fleet",), "there are no runs; name the folders of runs from several machines"),
    ):
        done = called("report", *words)
        assert done.returncode == 2
        assert sentence in done.stderr


def test_machines_that_were_measured_together_have_their_names(tmp_path):
    """Alike in all that is recorded, and two all the same, since they have two names."""
    for each in write(tmp_path / "both", 2):
        changed(each, lambda run: run.update(machine={"processor": "A Processor", "memory_bytes": 2**33}))
    known = {"a": {"folder": "machine-0"}, "b": {"folder": "machine-1"}, "c": {"folder": "../.."}}
    (tmp_path / "both" / "fleet.json").write_text(json.dumps({"schema_version": 1, "machines": known}))
    found = writing.of([tmp_path / "both"])
    assert [each.name for each in found.machines] == ["A: a, A Processor", "B: b, A Processor"]
    assert found.notes == ()
    for text in ("[]", "{", '{"machines": [1]}', '{"machines": {"a": {}}}', '{"machines": {"a": 3}}'):
        (tmp_path / "both" / "fleet.json").write_text(text)
        (machine,) = writing.of(sorted(each for each in (tmp_path / "both").iterdir() if each.is_dir())).machines
        assert machine.name == "A: A Processor"


def test_json_holds_every_machine_and_the_estimate(written):
    found = json.loads((written[0] / "fleet.json").read_text())
    here = next(each for each in found["crossovers"] if (each["race"], each["batch_size"]) == ("documented", 1))
    assert [each["machine"] for each in here["machines"]] == list("ABCDEFGHI")
    assert here["machines"][-1]["status"] == "above"
    assert here["machines"][-1]["crossing"] is None
    low, high = here["estimate"]["prediction"]
    assert low < here["estimate"]["middle"] < high
    assert here["estimate"]["machines"] == 8


def test_markdown_has_the_same(written):
    text = (written[0] / "fleet.md").read_text()
    assert "| race" in text
    assert "machine I: loop is faster throughout" in text
    assert "## What differs between the machines" in text


def test_hostile_names_are_inert(folders, tmp_path):
    hostile = "</script><img src=x onerror=alert(1)>"
    for place, each in enumerate(write(tmp_path, 2)):
        changed(each, lambda run, place=place: run["machine"].update(processor=f"{hostile}{place}"))
    text = writing.rendered(writing.of(sorted(tmp_path.iterdir())), "html")
    assert "<img src=x" not in text


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module", params=[400, 1280])
def width(request, written, window):
    """Of the page, which was opened at it."""
    window.resize(request.param, 900)
    window.prefer("dark" if request.param < 1280 else "light")
    window.open((written[0] / "fleet.html").as_uri())
    window.wait("document.body && document.body.dataset.drawn === 'yes'")
    return request.param


@needs_browser
def test_the_page_fits_and_draws_every_machine_without_complaint_or_request(written, window, width):
    drawn = window.run(
        "return [...document.querySelectorAll('[data-plot]')].map((each) => !!each.querySelector('svg'))"
    )
    cases = json.loads((written[0] / "fleet.json").read_text())["crossovers"]
    assert len(drawn) == 9 + sum(any(each["crossing"] for each in case["machines"]) for case in cases)
    assert all(drawn)
    for scheme in ("dark", "light"):
        window.prefer(scheme)
        assert window.run("return document.documentElement.scrollWidth - innerWidth") <= 0
    assert window.requested() == []
    assert window.complaints() == []


@needs_browser
@pytest.mark.skipif(engine() is None, reason="axe-core-python is not installed")
def test_axe_finds_no_violation(written, window):
    window.resize(1280, 900)
    window.open((written[0] / "fleet.html").as_uri())
    window.wait("document.body && document.body.dataset.drawn === 'yes'")
    assert violations(window) == []
