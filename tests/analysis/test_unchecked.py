"""Whose output was compared with nothing but itself."""

from __future__ import annotations

from harness.analysis.unchecked import marked, unchecked
from harness.records.measurement import Parity
from tests.synthetic import Maker


def test_those_without_an_independent_reference_are_named_once_and_in_order():
    records = Maker().visit(["student", "loop", "teacher"], 18, 1, 1, 1) * 2
    own = {"student": "itself", "loop": "itself", "teacher": "formula"}
    proved = [
        each.model_copy(update={"parity": Parity(error=0.0, tolerance=1.0, against=own[each.contender])})
        for each in records
    ]
    assert unchecked(proved) == ("loop", "student")
    assert unchecked([each.model_copy(update={"parity": None}) for each in records]) == ()


def test_such_a_name_is_marked_wherever_it_stands():
    assert marked("loop", {"loop"}) == "loop (unchecked)"
    assert marked("teacher", {"loop"}) == "teacher"
