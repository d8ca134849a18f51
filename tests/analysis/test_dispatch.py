"""Dispatch tables: who is used from which N on, and what deciding so costs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.analysis.dispatch import tables
from harness.analysis.fidelity.requirement import Constrained
from harness.plan.sweep import SearchCase
from harness.records.crossovers import SearchRecord
from harness.records.measurement import Measurement, Sampled
from harness.run.regret_points import points
from harness.search.result import Crossing, Failures, Location, Probe
from harness.search.spans import WinningSpan, winning_spans

CASE = SearchCase(race="race", baseline="flat", challenger="student", batch_size=8, low=1, high=1000)


def located(status, *crossings, batch_size=8):
    location = Location(status=status, crossings=crossings, samples=100, probes=(), notes=(), low=1, high=1000)
    return SearchRecord(case=replace(CASE, batch_size=batch_size), location=location)


def crossing(heads, direction="challenger"):
    return Crossing(heads=heads, low=heads - 5, high=heads + 5, direction=direction, confidence=0.95, kind="smooth")


def visit(number, heads, flat, student):
    return [
        Measurement(
            key="",
            contender=name,
            heads=heads,
            batch_size=8,
            purpose="regret",
            leg=CASE.label,
            visit=number,
            launch=9,
            outcome="measured",
            sampled=Sampled(
                seconds=(seconds,) * 3,
                rounds=(0, 1, 2),
                positions=(place,) * 3,
                started=(0.0, 1.0, 2.0),
                inner_loops=1,
                overhead_seconds=0.0,
            ),
        )
        for place, (name, seconds) in enumerate((("flat", flat), ("student", student)))
    ]


def test_the_contender_changes_at_each_crossing():
    (table,) = tables([located("several", crossing(100), crossing(300, "baseline"), crossing(500))], [])
    used = [table.choose(heads, 8) for heads in (1, 99, 100, 299, 300, 499, 500, 1000)]
    assert used == ["flat", "flat", "student", "student", "flat", "flat", "student", "student"]
    assert table.choose(100, 16) is None


@pytest.mark.parametrize(("status", "use"), [("above", "flat"), ("below", "student"), ("unresolved", None)])
def test_without_a_crossing_one_is_used_throughout_or_nobody_knows(status, use):
    (table,) = tables([located(status)], [])
    assert table.choose(500, 8) == use


def test_batch_sizes_come_in_order():
    (table,) = tables([located("below", batch_size=32), located("crossing", crossing(10), batch_size=1)], [])
    assert [entry.batch_size for entry in table.entries] == [1, 32]


def test_regret_is_what_the_wrong_choice_costs_and_nothing_where_it_is_right():
    right, wrong = visit(1, 50, 1.0, 2.0), visit(2, 400, 1.0, 1.25)
    (table,) = tables([located("crossing", crossing(100))], [*right, *wrong])
    assert [each.regret for each in table.checked] == pytest.approx([0.0, 0.25])
    assert table.mean_regret == pytest.approx(0.125)
    assert "costs 12.5% on average and 25.0% at most, measured at 2 points" in table.sentence
    assert "(95 % interval of the mean: 12.5% to 12.5%)" in table.sentence


def test_where_nothing_was_checked_nothing_is_said():
    (table,) = tables([located("crossing", crossing(100))], [])
    assert table.sentence == ""
    assert math.isnan(table.mean_regret)


# ---------------------------------------------------------------------------------------- answers that lack something


def unresolved(*crossings, probes=(), bracket=None):
    location = replace(
        located("unresolved", *crossings).location,
        bracket=bracket,
        probes=tuple(Probe(n, lead, lead - 0.1, lead + 0.1, 20, 4) for n, lead in probes),
        notes=("the budget is spent",),
    )
    return SearchRecord(case=CASE, location=location)


def test_an_unresolved_answer_still_decides_where_one_rival_surely_leads():
    probes = [(1, -2.0), (50, -0.6), (200, 0.05), (400, 0.7), (1000, 2.0)]
    (table,) = tables([unresolved(probes=probes, bracket=(50, 400))], [])
    assert [table.choose(n, 8) for n in (1, 50, 51, 200, 399, 400, 1000)] == [
        "flat", "flat", None, None, None, "student", "student",
    ]  # fmt: skip
    assert table.entries[0].undecided == ((51, 399),)
    assert "for 1 of 1 batch sizes some N, or all, are left undecided" in table.sentence


def test_a_confirmed_crossing_of_an_unresolved_answer_is_not_dropped():
    probes = [(1, -2.0), (80, -0.3), (120, 0.3), (300, 0.9), (500, 0.02), (700, 0.9), (1000, 2.0)]
    (table,) = tables([unresolved(crossing(100), probes=probes, bracket=(300, 700))], [])
    assert [table.choose(n, 8) for n in (99, 100, 300, 301, 699, 700, 1000)] == [
        "flat", "student", "student", None, None, "student", "student",
    ]  # fmt: skip
    (change,) = table.entries[0].changes
    assert (change.low, change.high, change.confidence) == (95, 105, 0.95)


def test_a_bracket_that_launches_did_not_confirm_is_a_change_without_confidence():
    (table,) = tables([unresolved(probes=[(10, -1.0), (900, 1.0)], bracket=(95, 105))], [])
    (change,) = table.entries[0].changes
    assert (change.low, change.high, change.confidence) == (10, 900, 0.0)
    assert table.choose(100, 8) is None


def test_ends_of_the_range_that_were_not_decided_are_left_open():
    (table,) = tables([unresolved(probes=[(1, 0.01), (10, 1.0), (500, 2.0), (1000, 0.12)])], [])
    assert [table.choose(n, 8) for n in (1, 9, 10, 500, 501, 1000)] == [None, None, "student", "student", None, None]


# ---------------------------------------------------------------------------------- challengers that must be right


def held_back(*answers, counts_from, batch_size=8, visits=()):
    constrained = Constrained(requires={"cosine": 0.9}, faster_from=100, counts_from=counts_from, sentence="…")
    (table,) = tables(answers, visits, {("race", batch_size): constrained})
    return table


def test_a_challenger_is_used_from_where_it_is_also_right():
    table = held_back(located("crossing", crossing(100)), counts_from=400)
    assert [table.choose(n, 8) for n in (1, 100, 399, 400, 1000)] == ["flat", "flat", "flat", "student", "student"]
    assert (table.entries[0].requires, table.entries[0].counts_from) == (True, 400)


@pytest.mark.parametrize("answer", ["crossing", "below", "unresolved"])
def test_a_challenger_that_is_never_right_is_never_used(answer):
    found = {
        "crossing": located("crossing", crossing(100)),
        "below": located("below"),
        "unresolved": unresolved(probes=[(10, -1.0), (900, 1.0)], bracket=(10, 900)),
    }[answer]
    table = held_back(found, counts_from=None)
    assert {table.choose(n, 8) for n in (1, 50, 100, 500, 1000)} == {"flat"}


def test_a_challenger_that_is_right_where_it_begins_to_lead_keeps_its_interval():
    table = held_back(located("several", crossing(100), crossing(300, "baseline"), crossing(500)), counts_from=100)
    assert [change.heads for change in table.entries[0].changes] == [100, 300, 500]
    assert table.entries[0].changes[0].low == 95


def test_what_being_right_costs_is_not_regret():
    table = held_back(located("crossing", crossing(100)), counts_from=400, visits=visit(1, 200, 2.0, 1.0))
    assert table.largest_regret == 0.0


# ------------------------------------------------------------------------------------- points that no search has used


def sides(answer, seed=0):
    edges = [each.heads for each in answer.location.crossings]
    return [sum(n >= edge for edge in edges) for n in points(answer, seed)]


def test_decisions_are_tried_on_both_sides_of_each_change_near_it_and_far_from_it():
    answer = SearchRecord(
        case=replace(CASE, high=100_000), location=located("several", crossing(100), crossing(9000)).location
    )
    found = points(answer, 0)
    for each in answer.location.crossings:
        assert any(each.heads / 2 <= n <= each.heads / 1.2 and n < each.low for n in found)
        assert any(each.heads * 1.2 <= n <= each.heads * 2 and n > each.high for n in found)
    assert all(not each.low <= n <= each.high for each in answer.location.crossings for n in found)
    assert sum(all(not each.heads / 2 <= n <= each.heads * 2 for each in answer.location.crossings) for n in found) == 3
    assert set(sides(answer)) == {0, 1, 2}


def test_a_short_lead_between_two_changes_is_tried_too():
    answer = SearchRecord(
        case=replace(CASE, high=60_000),
        location=located("several", crossing(9148), crossing(10_241, "baseline"), crossing(10_603)).location,
    )
    assert set(sides(answer)) == {0, 1, 2, 3}


def test_points_that_the_search_has_used_are_not_used_again():
    answer = located("crossing", crossing(20))
    probes = tuple(Probe(n, 1.0, 0.9, 1.1, 3, 1) for n in range(1, 1001) if n % 7)
    answer = replace(answer, location=replace(answer.location, probes=probes))
    assert all(n % 7 == 0 for n in points(answer, 0))


def test_each_race_draws_points_of_its_own_and_draws_them_again():
    one = located("crossing", crossing(100))
    other = replace(one, case=replace(one.case, race="another"))
    assert points(one, 0) == points(one, 0)
    assert points(one, 0) != points(other, 0)
    assert points(one, 0) != points(one, 1)


def test_a_change_at_the_end_of_the_range_is_tried_on_the_side_that_there_is():
    answer = located("crossing", crossing(998))
    assert points(answer, 0)
    assert all(1 <= n <= 1000 for n in points(answer, 0))


# ---------------------------------------------------------------------------------------- one of the two fails


def failing(status, *spans, crossings=(), measured=(1, 1000)):
    """An answer with spans (low, high, last good, next good, who)."""
    failures = tuple(Failures(*span, reason="no memory") for span in spans)
    location = replace(located(status, *crossings).location, measured=measured, failures=failures)
    return SearchRecord(case=CASE, location=location)


TAIL = (632, 1000, 316, None)
MIDDLE = (200, 300, 150, 400)


def used(answer, *places, constrained=None):
    (table,) = tables([answer], [], constrained)
    return [table.choose(heads, 8) for heads in places]


def test_beyond_the_first_failure_the_one_that_works_is_used_and_what_lies_before_it_is_undecided():
    answer = failing("above", (*TAIL, "baseline"), measured=(1, 316))
    assert used(answer, 1, 316, 317, 631, 632, 1000) == ["flat", "flat", None, None, "student", "student"]
    (entry,) = tables([answer], [])[0].entries
    assert entry.undecided == ((317, 631),)
    (change,) = entry.changes
    assert (change.heads, change.confidence, change.reason) == (632, 0.0, "flat fails at N = 632 and above")


def test_where_the_one_that_works_leads_before_the_failure_nothing_is_undecided():
    answer = failing("above", (*TAIL, "challenger"), measured=(1, 316))
    assert used(answer, 1, 316, 317, 631, 632, 1000) == ["flat"] * 6
    assert tables([answer], [])[0].undecided == 0


def test_crossings_before_a_failure_stand():
    answer = failing("crossing", (*TAIL, "challenger"), crossings=(crossing(100),), measured=(1, 316))
    assert used(answer, 99, 100, 316, 400, 632, 1000) == ["flat", "student", "student", None, "flat", "flat"]


def test_a_failure_in_the_middle_ends_again():
    answer = failing("above", (*MIDDLE, "baseline"))
    expected = ["flat", None, "student", "student", None, "flat", "flat"]
    assert used(answer, 150, 151, 200, 300, 399, 400, 1000) == expected


def test_a_failure_at_the_beginning_leaves_what_lies_behind_it_as_it_was():
    answer = failing("below", (1, 4, None, 8, "challenger"), measured=(8, 1000))
    assert used(answer, 1, 4, 5, 7, 8, 1000) == ["flat", "flat", None, None, "student", "student"]


def test_where_one_fails_and_further_on_both_do_the_one_that_works_is_used_as_far_as_it_does():
    answer = failing("above", (500, 600, 316, None, "baseline"), (800, 1000, 316, None, ""), measured=(1, 316))
    expected = ["flat", None, "student", "student", None, None, None]
    assert used(answer, 316, 499, 500, 600, 601, 800, 1000) == expected
    ended = failing("below", (500, 600, 316, 900, "baseline"), (700, 800, 316, 900, ""))
    assert used(ended, 316, 499, 600, 601, 700, 899, 900) == ["student"] * 3 + [None] * 3 + ["student"]
    reverse = failing("above", (500, 600, 316, None, ""), (800, 1000, 316, None, "baseline"), measured=(1, 316))
    assert used(reverse, 316, 317, 500, 700, 800, 1000) == ["flat", None, None, None, "student", "student"]
    (lead,) = winning_spans(failing("below", (500, 600, 316, None, "baseline"), (800, 1000, 316, None, "")).location)
    assert (lead.end, lead.holds) == (316, False)


@pytest.mark.parametrize("who", ["", "baseline"])
def test_what_was_left_out_never_counts_as_a_win(who):
    nothing = failing("unresolved", (1, 1000, None, None, who), measured=None)
    assert used(nothing, 1, 500, 1000) == [None] * 3
    both = failing("above", (*TAIL, ""), measured=(1, 316))
    assert used(both, 316, 317, 632, 1000) == ["flat", None, None, None]


def test_a_challenger_that_is_not_right_is_not_used_where_the_baseline_fails_either():
    answer = failing("above", (*TAIL, "baseline"), measured=(1, 316))
    wrong = Constrained(requires={"skill": 0.5}, faster_from=None, counts_from=None, sentence="")
    assert used(answer, 316, 632, constrained={("race", 8): wrong}) == ["flat", None]


def test_nothing_is_chosen_outside_of_the_range_that_was_searched():
    assert used(located("above"), 1, 1000, 1001, 0) == ["flat", "flat", None, None]
    (table,) = tables([replace(located("above"), case=replace(CASE, low=10))], [])
    assert table.choose(9, 8) is None


def test_a_lead_ends_where_one_of_the_two_fails():
    assert winning_spans(failing("below", (*TAIL, "challenger"), measured=(1, 316)).location) == (
        WinningSpan(1, 316, holds=False),
    )
    (alone,) = winning_spans(failing("below", (*TAIL, "baseline"), measured=(1, 316)).location)
    assert (alone.start, alone.end, alone.holds) == (1, 316, True)
    assert alone.beyond == "the baseline fails above"
    assert winning_spans(failing("below", (*MIDDLE, "baseline")).location) == (
        WinningSpan(1, 150, holds=False),
        WinningSpan(400, 1000, holds=True),
    )
    assert winning_spans(failing("unresolved", (1, 1000, None, None, "baseline"), measured=None).location) == ()


def test_a_lead_slighter_than_a_bias_decides_nothing_and_a_larger_one_stands():
    found = located("above")
    leads = ((1, -0.4), (100, -0.03), (1000, -0.5))
    probes = tuple(Probe(n, lead, lead - 0.01, lead + 0.01, 20, 8) for n, lead in leads)
    found = replace(found, location=replace(found.location, probes=probes, measured=(1, 1000)))
    (table,) = tables([found], [], bias=0.05)
    assert [table.choose(heads, 8) for heads in (1, 50, 100, 110, 1000)] == ["flat", "flat", None, None, "flat"]
    (table,) = tables([found], [])
    assert table.choose(100, 8) == "flat"
