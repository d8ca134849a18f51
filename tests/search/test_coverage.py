"""Which N an answer speaks of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.analysis.summary import summarise
from harness.plan.sweep import SearchCase
from harness.records.crossovers import SearchRecord
from harness.search.coverage import covered, failing, is_uncovered
from harness.search.result import Failures, Location
from tests.synthetic import Maker

OLD = Location("above", (), 100, (), (), 1, 1000)
FAILED = Failures(632, 1000, 316, None, "baseline", "no memory")
TAIL = replace(OLD, measured=(1, 316), failures=(FAILED,))


def test_an_older_record_speaks_of_its_whole_range_and_one_that_measured_nothing_of_none():
    assert covered(OLD) == (1, 1000)
    assert covered(TAIL) == (1, 316)
    assert covered(replace(OLD, failures=(FAILED,))) is None


def test_neither_failures_nor_what_lies_between_them_and_what_worked_are_spoken_of():
    assert [is_uncovered(TAIL, n) for n in (1, 316, 317, 632, 1000)] == [False, False, True, True, True]
    middle = replace(OLD, measured=(1, 1000), failures=(Failures(50, 60, 40, 80, "", ""),))
    assert [is_uncovered(middle, n) for n in (40, 41, 55, 79, 80)] == [False, True, True, True, False]
    assert is_uncovered(replace(OLD, failures=(FAILED,)), 5)


@pytest.mark.parametrize(
    ("span", "sentence"),
    [
        (FAILED, "flat fails at N = 632 and above"),
        (Failures(50, 60, 40, 80, "challenger", ""), "student fails at N = 50 to 60"),
        (Failures(50, 50, 40, 80, "", ""), "one of the two fails at N = 50"),
    ],
)
def test_who_fails_where_is_said(span, sentence):
    found = replace(OLD, failures=(span,))
    assert [said for _, said in failing(found, {"baseline": "flat", "challenger": "student"})] == [sentence]


def test_no_crossover_is_predicted_among_n_at_which_one_of_the_two_fails():
    case = SearchCase(race="best", baseline="teacher", challenger="student", batch_size=1, low=2, high=16384)
    evidence = Maker().table().evidence()
    (whole,) = (
        each
        for each in summarise(evidence, [SearchRecord(case=case, location=replace(OLD, high=16384))]).searches
        if each.located
    )
    assert whole.predicted is not None
    at = int(whole.predicted.value)
    cut = replace(
        OLD, high=16384, measured=(2, at // 2), failures=(Failures(at - 1, 16384, at // 2, None, "baseline", ""),)
    )
    (found,) = (each for each in summarise(evidence, [SearchRecord(case=case, location=cut)]).searches if each.located)
    assert found.predicted is None
