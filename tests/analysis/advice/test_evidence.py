"""Who is faster of two, by the best evidence: pairs, their race, or intervals of their own."""

from __future__ import annotations

import pytest

from harness.analysis.advice.evidence import pair_evidence
from harness.analysis.statistics import Interval
from harness.analysis.summary import summarise
from harness.plan.sweep import SearchCase
from harness.records.crossovers import SearchRecord
from harness.search.result import Crossing, Failures, Location
from tests.synthetic import COSTS, Maker

APART = Interval(1.0, 0.9, 1.1, 8), Interval(2.0, 1.8, 2.2, 8)
SMOOTH = Crossing(1000, 950, 1050, "challenger", 0.95, "smooth")


def raced(status, *crossings, maker=None):
    """A summary whose only evidence is the answer of the race `best`, teacher against student."""
    case = SearchCase(race="best", baseline="teacher", challenger="student", batch_size=1, low=2, high=16384)
    location = Location(status, crossings, 400, (), (), 2, 16384)
    return summarise((maker or Maker()).evidence(), [SearchRecord(case=case, location=location)])


def test_launches_that_both_took_part_in_tell_more_than_separate_intervals():
    maker = Maker(costs=COSTS | {"student": lambda n, b: 1.05 * COSTS["teacher"](n, b)}, sigma=0.01, launch_sigma=0.0)
    slow = iter((1.0, 1.5, 0.7, 1.2, 0.8, 1.1, 0.9, 1.3))  # the machine's pace, the same for both
    for launch in range(1, 9):
        pace = next(slow)
        maker.slowed = {"teacher": pace, "student": pace}
        maker.visit(["teacher", "student"], 500, 1, launch, 6)
    found = summarise(maker.evidence())
    calls = {each.contender: each.call for each in found.cells}
    assert calls["teacher"].high > calls["student"].low
    one = pair_evidence(found, "teacher", "student", (calls["teacher"], calls["student"]), 500, 1)
    assert one.faster == "one"
    assert one.why.startswith("measured here in the same launches, student takes 1.05 times (95 %: ")


@pytest.mark.parametrize(
    ("heads", "faster", "why"),
    [
        (500, "one", "the crossover of their race lies above, at 950 to 1,050 heads at 95 %"),
        (1000, "", "N = 1,000 lies inside the interval of their crossover, 950 to 1,050 heads at 95 %"),
        (2000, "other", "the crossover of their race lies below, at 950 to 1,050 heads at 95 %"),
    ],
)
def test_a_race_between_them_tells_on_both_sides_of_its_crossover(heads, faster, why):
    found = pair_evidence(raced("crossing", SMOOTH), "teacher", "student", APART, heads, 1)
    assert (found.faster, found.why) == (faster, why)


@pytest.mark.parametrize(("heads", "faster"), [(500, "one"), (2000, "other"), (4096, "other"), (4097, "one")])
def test_several_crossings_are_read_in_turn(heads, faster):
    step = Crossing(4097, 4096, 4097, "baseline", 0.95, "step")
    assert pair_evidence(raced("several", SMOOTH, step), "teacher", "student", APART, heads, 1).faster == faster


@pytest.mark.parametrize(("status", "faster"), [("above", "one"), ("below", "other"), ("tie", "")])
def test_a_race_without_a_crossing_tells_too(status, faster):
    assert pair_evidence(raced(status), "teacher", "student", APART, 500, 1).faster == faster


@pytest.mark.parametrize(
    ("calls", "faster", "why"),
    [
        (APART, "one", "by their separate intervals student takes 1.64 to 2.44 times as long"),
        (
            (APART[0], Interval(1.05, 0.8, 1.3, 8)),
            "",
            "by their separate intervals student takes 0.73 to 1.44 times as long",
        ),
        ((APART[0], Interval(2.0)), "", "there is no interval for student here"),
    ],
)
def test_else_there_are_their_own_intervals_and_how_far_apart_they_could_be(calls, faster, why):
    found = pair_evidence(raced("unresolved"), "teacher", "student", calls, 500, 1)
    assert (found.faster, found.why) == (faster, why)


@pytest.mark.parametrize(
    ("heads", "faster", "why"),
    [
        (300, "one", "in their race the lead does not change from N = 2 to 316"),
        (400, "", ""),  # between the last N that worked and the first one that failed
        (632, "other", "in their race teacher fails at N = 632 and above"),
        (9000, "other", "in their race teacher fails at N = 632 and above"),
    ],
)
def test_a_race_tells_nothing_of_n_at_which_one_of_the_two_was_not_measured(heads, faster, why):
    case = SearchCase(race="best", baseline="teacher", challenger="student", batch_size=1, low=2, high=16384)
    failures = (Failures(632, 16384, 316, None, "baseline", "memory ran out"),)
    location = Location("above", (), 400, (), (), 2, 16384, measured=(2, 316), failures=failures)
    found = pair_evidence(
        summarise(Maker().evidence(), [SearchRecord(case=case, location=location)]), "teacher", "student",
        (Interval(1.0), Interval(2.0)), heads, 1,
    )  # fmt: skip
    assert found.faster == faster
    assert found.why == (why or "there is no interval for teacher and student here")
