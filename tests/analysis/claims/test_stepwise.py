"""A slowdown under changing conditions: factors multiply to what was measured from end to end."""

from __future__ import annotations

import math

import pytest

from harness.analysis.claims.stepwise import CLOSE, stepwise
from harness.records.measurement import Measurement, Sampled
from harness.records.samples import by_cell
from harness.suite.schema import Suite

SECONDS = {"loop": 50e-6, "flat": 5e-6, "deep": 1100e-6, "deep-graph": 60e-6}
STEPS = [("as documented", "a", 1), ("vectorised", "b", 1), ("graph", "c", 1), ("batch", "c", 32)]
RACES = {"a": ("loop", "deep"), "b": ("flat", "deep"), "c": ("flat", "deep-graph")}


def suite(without=()):
    return Suite.model_validate(
        {
            "name": "s",
            "source": {"use": "playbook"},
            "heads": {"values": [18]},
            "contenders": {name: {"projector": "lda", "runtime": "eager"} for name in SECONDS if name not in without},
            "races": [
                {"name": name, "baseline": rivals[0], "challenger": rivals[1]}
                for name, rivals in RACES.items()
                if not {*rivals} & {*without}
            ],
            "waterfall": {
                "name": "claim",
                "heads": 18,
                "steps": [{"change": change, "race": race, "batch_size": batch} for change, race, batch in STEPS],
            },
        }
    )


def records(without=()):
    for launch in range(1, 5):
        for visit, batch in ((1, 1), (2, 32)):
            for name, seconds in SECONDS.items():
                if name not in without:
                    wobble = 1 + 0.01 * math.sin(7 * launch + len(name))
                    grown = 1.5 if batch == 32 and name == "deep-graph" else float(batch) if batch == 32 else 1.0
                    sampled = Sampled(
                        seconds=(seconds * grown * wobble,) * 3, rounds=(0, 1, 2), positions=(0, 0, 0),
                        started=(0.0, 1.0, 2.0), inner_loops=1, overhead_seconds=0.0,
                    )  # fmt: skip
                    yield Measurement(
                        key="", contender=name, heads=18, batch_size=batch, purpose="table", visit=10 * launch + visit,
                        launch=launch, outcome="measured", sampled=sampled,
                    )  # fmt: skip


def test_factors_multiply_to_what_was_measured_from_end_to_end():
    (found,) = stepwise(suite(), by_cell(list(records())))
    factors = [row.factor for row in found.rows]
    assert factors[0] is None
    assert factors[1:] == [pytest.approx(each, rel=0.03) for each in (10, 60 / 1100, 1.5 / 32)]
    assert found.rows[0].slowdown.value == pytest.approx(22, rel=0.03)
    assert abs(found.miss) < CLOSE
    assert found.product == pytest.approx(found.rows[-1].slowdown.value, rel=CLOSE)


def test_what_was_not_measured_is_left_open():
    lacking = ("deep-graph",)
    (found,) = stepwise(suite(lacking), by_cell(list(records(lacking))))
    assert [row.slowdown is None for row in found.rows] == [False, False, True, True]
    assert (found.product, found.miss) == (None, None)


def test_a_suite_without_measurements_has_no_table():
    assert stepwise(suite(), {}) == ()
