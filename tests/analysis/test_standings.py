"""Who leads among three, by the answers of their three races."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.analysis.standings import Span, standings
from tests.search.answers import answer, crossing


def found(**races):
    """Standings of races named `a_b`: a is the baseline, b the challenger."""
    records = []
    for name, location in races.items():
        baseline, challenger = name.split("_")
        records.append(
            SimpleNamespace(case=SimpleNamespace(baseline=baseline, challenger=challenger), location=location)
        )
    return standings(records)


def test_three_rivals_take_turns():
    """b passes a at 100, c passes b at 400 and a at 200: a to 99, b to 399, c to the end."""
    told = found(
        a_b=answer("crossing", crossing(100)),
        a_c=answer("crossing", crossing(200)),
        b_c=answer("crossing", crossing(400)),
    )
    assert told.names == ("a", "b", "c")
    assert (told.low, told.high) == (1, 1000)
    assert [(each.low, each.high, each.leader) for each in told.spans] == [
        (1, 99, "a"),
        (100, 399, "b"),
        (400, 1000, "c"),
    ]
    assert [each.begins for each in told.spans] == [None, (90, 110), (360, 440)]
    assert [told.leader(n) for n in (1, 99, 100, 399, 400, 1000)] == ["a", "a", "b", "b", "c", "c"]
    assert told.leader(1001) is None
    assert str(told) == (
        "a leads from n = 1 to 99; b leads from n = 100 to 399 (begins between 90 and 110); "
        "c leads from n = 400 to 1,000 (begins between 360 and 440)"
    )


def test_one_that_leads_throughout_is_one_span():
    told = found(a_b=answer("below"), a_c=answer("crossing", crossing(200)), b_c=answer("above"))
    assert told.spans == (Span(low=1, high=1000, leader="b"),)


def test_two_that_tie_are_named_where_both_beat_the_third():
    told = found(a_b=answer("tie"), a_c=answer("above"), b_c=answer("above"))
    assert told.spans == (Span(low=1, high=1000, leader=None, among=("a", "b")),)
    assert told.leader(5) is None
    assert told.sentence == "no leader known from n = 1 to 1,000 among a, b"


def test_an_unresolved_race_beats_nobody_though_it_has_crossings():
    told = found(a_b=answer("unresolved", crossing(100)))
    assert told.spans == (Span(low=1, high=1000, leader=None, among=("a", "b")),)


def test_where_three_beat_each_other_in_a_circle_none_is_left():
    told = found(a_b=answer("below"), b_c=answer("below"), a_c=answer("above"))
    assert told.sentence == "no leader known from n = 1 to 1,000"


def test_changes_at_one_n_have_the_widest_interval_and_a_step_needs_none():
    told = found(
        a_b=answer("crossing", crossing(100, low=95, high=120)), a_c=answer("crossing", crossing(100, low=80, high=104)),
        b_c=answer("above"),
    )  # fmt: skip
    assert told.spans[1] == Span(low=100, high=1000, leader="b", begins=(80, 120))
    step = found(a_b=answer("crossing", crossing(100, low=99, high=100)))
    assert step.sentence == "a leads from n = 1 to 99; b leads from n = 100 to 1,000"
    wide = found(a_b=answer("crossing", crossing(100, low=98, high=100)))
    assert wide.sentence.endswith("(begins between 98 and 100)")


@pytest.mark.parametrize(("n", "leader"), [(1, "b"), (49, "b"), (50, "a"), (299, "a"), (300, "b")])
def test_the_last_crossing_before_n_says_who_leads(n, leader):
    told = found(a_b=answer("several", crossing(50, "baseline"), crossing(300)))
    assert told.leader(n) == leader


def test_notes_are_told_once():
    one = answer("below")
    told = found(a_b=type(one)(**{**vars(one), "notes": ("x",)}), a_c=type(one)(**{**vars(one), "notes": ("x", "y")}))
    assert told.notes == ("x", "c against a: y")
