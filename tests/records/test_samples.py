"""Records put in order."""

from __future__ import annotations

from harness.records.samples import by_cell, pairs, seconds_by_launch, timed_records
from harness.search.result import Pair
from tests.synthetic import Maker


def record(seconds=(1.0,), launch=1, **sampled):
    made = Maker().visit(["teacher"], 18, 1, launch, len(seconds))[0]
    return made.model_copy(update={"sampled": made.sampled.model_copy(update={"seconds": tuple(seconds), **sampled})})


def test_the_table_and_the_searches_are_by_cell_and_everything_else_is_left_out():
    maker = Maker()
    table = maker.visit(["teacher", "loop"], 18, 1, 1, 1)
    search = maker.visit(["teacher"], 18, 1, 1, 1, "search")
    rest = [
        each for purpose in ("self-check", "regret", "pilot") for each in maker.visit(["loop"], 18, 1, 1, 1, purpose)
    ]
    found = by_cell([*table, *search, *rest])
    assert found == {("teacher", 18, 1): [table[0], *search], ("loop", 18, 1): [table[1]]}


def test_launch_0_counts_only_where_nothing_else_was_measured():
    explored, measured = record(launch=0), record(launch=1)
    failed = measured.model_copy(update={"outcome": "failed"})
    bare = measured.model_copy(update={"sampled": None})
    assert timed_records([explored, measured, failed, bare]) == [measured]
    assert timed_records([explored, failed]) == [explored]
    assert timed_records([failed]) == []


def test_seconds_are_by_launch_in_time_order():
    first, second, other = record((1.0, 2.0)), record((3.0,)), record((4.0,), launch=2)
    assert seconds_by_launch([first, second, other]) == {1: [1.0, 2.0, 3.0], 2: [4.0]}
    assert seconds_by_launch([first.model_copy(update={"sampled": None})]) == {}


def test_pairs_are_matched_by_round_and_know_who_went_first():
    ours = record((1.0, 2.0, 3.0), rounds=(0, 1, 2), positions=(0, 1, 0), started=(10.0, 21.0, 30.0))
    theirs = record((8.0, 9.0), rounds=(2, 1), positions=(1, 0), started=(31.0, 20.0))
    assert pairs(ours, theirs) == [
        Pair(2.0, 9.0, "challenger first", 20.0),
        Pair(3.0, 8.0, "baseline first", 30.0),
    ]
    bare = ours.model_copy(update={"sampled": None})
    assert pairs(bare, theirs) == pairs(theirs, bare) == []
