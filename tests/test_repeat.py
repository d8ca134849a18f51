"""`python -m tests.benchmarks.repeat`: whether two runs state intervals that overlap."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.plan.sweep import SearchCase
from harness.records.crossovers import SearchRecord
from harness.search.result import Crossing, Location
from tests.benchmarks.repeat import main
from tests.report.conftest import write
from tests.synthetic import Maker

LEG = SearchCase(race="best", baseline="teacher", challenger="student", batch_size=1, low=18, high=16_384)


def answer(*crossings, status=None, batch_size=1, bracket=None):
    status = status or ("several" if len(crossings) > 1 else "crossing")
    location = Location(status, crossings, 100, (), (), 18, 16_384, bracket)
    return SearchRecord(leg=replace(LEG, batch_size=batch_size), location=location)


def crossing(low, high, direction="challenger"):
    return Crossing((low + high) // 2, low, high, direction, 0.95, "smooth")


@pytest.fixture
def compared(tmp_path, capsys):
    """The exit code and the lines that two runs with these answers give."""

    def compared(first, second):
        folders = []
        for name, located in (("one", first), ("two", second)):
            maker = Maker()
            maker.located = located
            folders.append(str(write(maker, tmp_path / name)))
        code = main(folders)
        said = capsys.readouterr()
        return code, said.out + said.err

    return compared


def test_intervals_that_overlap_agree(compared):
    code, said = compared([answer(crossing(90, 110))], [answer(crossing(105, 130))])
    assert code == 0
    assert "100 (90 to 110)" in said
    assert "117 (105 to 130)" in said
    assert "1 of 1 stated crossings overlap" in said


@pytest.mark.parametrize(
    "second",
    [
        [crossing(111, 130)],
        [crossing(90, 110, "baseline")],
        [crossing(90, 110), crossing(500, 600, "baseline")],
    ],
    ids=["apart", "the other leads", "one more"],
)
def test_those_that_do_not_are_told_and_fail(compared, second):
    code, said = compared([answer(crossing(90, 110))], [answer(*second)])
    assert code == 1
    assert "NO" in said


def test_answers_that_state_no_crossing_are_shown_and_are_no_contradiction(compared):
    code, said = compared(
        [answer(status="above"), answer(crossing(90, 110), batch_size=32)],
        [answer(crossing(90, 110)), answer(status="unresolved", batch_size=32, bracket=(80, 120))],
    )
    assert code == 0
    assert said.count("not stated twice") == 2
    assert "unresolved, between 80 and 120" in said


OPEN = answer(crossing(100, 120), status="unresolved", bracket=(500, 600))


def test_an_open_answer_tells_some_crossings_all_the_same(compared):
    code, said = compared([answer(crossing(90, 110), crossing(500, 600, "baseline"))], [OPEN])
    assert code == 0
    assert "1 of 1 stated crossings overlap" in said
    assert said.count("not stated twice") == 1


def test_what_an_open_answer_tells_is_held_against_an_answer_that_tells_all(compared):
    code, said = compared([answer(crossing(200, 220))], [OPEN])
    assert code == 1
    assert said.count("NO") == 1
    assert said.count("not stated twice") == 1


def test_runs_without_a_race_in_common_are_told(compared):
    code, said = compared([answer(status="above")], [answer(status="above", batch_size=2)])
    assert code == 2
    assert "no race at one batch size in common" in said


def test_a_wide_interval_may_hold_two_crossings_that_an_open_answer_tells_apart(compared):
    two = answer(crossing(90, 110), crossing(150, 160), status="unresolved", bracket=(140, 141))
    code, said = compared([answer(crossing(80, 170))], [two])
    assert code == 0
    assert "2 of 2 stated crossings overlap" in said
