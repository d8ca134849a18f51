"""Dispatch tables: who is used from which N on, and what deciding so costs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.analysis.dispatch import tables
from harness.analysis.located import Located
from harness.analysis.location import Crossing, Location
from harness.records.measurement import Measurement, Sampled
from harness.suite.sweep import Leg

LEG = Leg(race="race", baseline="flat", challenger="student", batch_size=8, low=1, high=1000)


def located(status, *crossings, batch_size=8):
    location = Location(status=status, crossings=crossings, samples=100, probes=(), notes=(), low=1, high=1000)
    return Located(leg=replace(LEG, batch_size=batch_size), location=location)


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
            leg=LEG.label,
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


def test_where_nothing_was_checked_nothing_is_said():
    (table,) = tables([located("crossing", crossing(100))], [])
    assert table.sentence == ""
    assert math.isnan(table.mean_regret)
