"""Where the challenger leads, by answers written down by hand."""

from __future__ import annotations

import pytest

from harness.search.spans import WinningSpan, winning_spans
from tests.search.answers import answer, crossing, failures


def spans(location):
    return [(each.start, each.end, each.holds) for each in winning_spans(location)]


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        (answer("above"), []),
        (answer("tie"), []),
        (answer("below"), [(1, 1000, True)]),
        (answer("crossing", crossing(300)), [(300, 1000, True)]),
        (answer("crossing", crossing(300, "baseline")), [(1, 299, False)]),
        (answer("several", crossing(50), crossing(300, "baseline")), [(50, 299, False)]),
        (
            answer("several", crossing(50, "baseline"), crossing(300), crossing(700, "baseline")),
            [(1, 49, False), (300, 699, False)],
        ),
        (answer("crossing", crossing(1, "baseline")), []),  # it would end before it begins
        (answer("unresolved"), []),
    ],
)
def test_from_each_crossing_to_the_next(location, wanted):
    assert spans(location) == wanted


def test_an_unresolved_answer_gives_what_it_confirmed_as_far_as_its_open_bracket():
    open_bracket = crossing(600, "baseline", 500, 700)
    location = answer("unresolved", crossing(100), open_bracket, bracket=(500, 700))
    assert spans(location) == [(100, 500, False)]  # what lies in the bracket itself is not confirmed
    later = answer("unresolved", crossing(550), bracket=(500, 700))
    assert spans(later) == [(700, 1000, True)]
    before = answer("unresolved", crossing(800), bracket=(500, 700))
    assert spans(before) == [(800, 1000, True)]
    assert spans(answer("unresolved", crossing(100))) == [(100, 1000, True)]


@pytest.mark.parametrize(
    ("failed", "wanted"),
    [
        (failures(401, 500, 400, 501), [(100, 400, False), (501, 1000, True)]),
        (failures(50, 60, 49, 61), [(100, 1000, True)]),  # before the lead
        (failures(99, 110, 98, 111), [(111, 1000, True)]),  # around its beginning
    ],
)
def test_a_lead_is_cut_where_something_could_not_be_measured(failed, wanted):
    assert spans(answer("crossing", crossing(100), measured=(1, 1000), failures=(failed,))) == wanted


@pytest.mark.parametrize(
    ("contender", "holds", "beyond"), [("baseline", True, "the baseline fails above"), ("challenger", False, "")]
)
def test_a_lead_to_the_last_n_that_works_holds_where_the_other_is_who_fails(contender, holds, beyond):
    failed = failures(501, 1000, 500, None, contender)
    (lead,) = winning_spans(answer("below", measured=(1, 500), failures=(failed,)))
    assert lead == WinningSpan(1, 500, holds, beyond)


def test_a_lead_that_ends_where_a_failure_begins_is_left_as_it_is():
    failed = failures(501, 600, 500, 601)
    location = answer("several", crossing(100), crossing(501, "baseline"), measured=(1, 1000), failures=(failed,))
    assert spans(location) == [(100, 500, False)]


def test_a_ladder_climbs_by_four_and_ends_at_the_end():
    assert WinningSpan(10, 700, holds=True).sample_points() == (10, 40, 160, 640, 700)
    assert WinningSpan(10, 640, holds=True).sample_points() == (10, 40, 160, 640)
    assert WinningSpan(10, 10, holds=True).sample_points() == (10,)
