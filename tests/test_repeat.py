"""`python -m tests.benchmarks.repeat`: whether two runs decide alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.plan.sweep import SearchCase
from harness.records.crossovers import SearchRecord
from harness.search.result import Crossing, Decision, Location
from tests.benchmarks.repeat import main
from tests.report.conftest import write
from tests.synthetic import Maker

CASE = SearchCase(race="best", baseline="teacher", challenger="student", batch_size=1, low=18, high=16_384)


def answer(below=None, above=None, status="crossing", sides=("baseline", "challenger"), batch_size=1, crossings=()):
    decision = Decision(below, above, 0.1, *sides, 0.95) if below else None
    if below and not crossings:
        crossings = [Crossing((below + above) // 2, below, above, sides[1], 0.95, "smooth")]
    location = Location(status, tuple(crossings), 100, (), (), 18, 16_384, decision=decision)
    return SearchRecord(case=replace(CASE, batch_size=batch_size), location=location)


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


def test_decisions_that_overlap_agree_whatever_is_told_apart_inside_of_them(compared):
    three = [Crossing(n, n - 5, n + 5, side, 0.95, "smooth") for n, side in ((150, "challenger"), (170, "baseline"))]
    code, said = compared([answer(90, 300)], [answer(105, 200, "several", crossings=three)])
    assert code == 0
    assert "90 to 300" in said
    assert "105 to 200 (2 crossings)" in said
    assert "1 of 1 races agree" in said


@pytest.mark.parametrize(
    "second",
    [answer(111, 130), answer(90, 110, sides=("challenger", "baseline")), answer(status="above"), answer(status="tie")],
    ids=["apart", "the other leads", "throughout", "alike"],
)
def test_answers_that_contradict_each_other_are_shown_and_fail(compared, second):
    code, said = compared([answer(90, 110)], [second])
    assert code == 1
    assert "NO" in said
    assert "0 of 1 races agree" in said


def test_the_same_leader_throughout_agrees_and_an_open_answer_contradicts_nothing(compared):
    code, said = compared(
        [answer(status="above"), answer(90, 110, batch_size=32)],
        [answer(status="above"), answer(status="unresolved", batch_size=32)],
    )
    assert code == 0
    assert said.count("not answered twice") == 1
    assert "1 of 1 races agree" in said


def test_runs_without_a_race_in_common_are_told(compared):
    code, said = compared([answer(status="above")], [answer(status="above", batch_size=2)])
    assert code == 2
    assert "no race at one batch size in common" in said
