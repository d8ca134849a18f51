"""A quick run asks for less of everything that costs, and for nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.plan import plan
from harness.suite import loading

SUITES = Path(__file__).parents[2] / "suites"


@pytest.mark.parametrize("name", ["crossover", "frontier", "smoke", "speed"])
def test_a_quick_run_asks_for_less(name):
    suite = loading.load(SUITES / f"{name}.yaml").suite
    quick = plan.quick_variant(suite)
    assert quick.measurement.launches <= suite.measurement.launches
    assert quick.measurement.spread_seconds(searched=True) == 0
    assert quick.search.precision >= suite.search.precision
    assert quick.search.confidence <= suite.search.confidence
    assert quick.contenders.keys() <= suite.contenders.keys()
    assert [race.name for race in quick.races] == [race.name for race in suite.races]


def test_a_quick_run_does_not_ask_three_launches_for_the_confidence_of_eight():
    suite = loading.load(SUITES / "crossover.yaml", overrides=["search.confidence=0.99"]).suite
    assert plan.quick_variant(suite).search.confidence == 0.95


def test_a_suite_that_asks_for_less_already_keeps_it():
    loaded = loading.load(
        SUITES / "crossover.yaml",
        overrides=["measurement.launches=2", "search.precision=0.3", "search.confidence=0.8"],
    )
    quick = plan.quick_variant(loaded.suite)
    assert (quick.measurement.launches, quick.search.precision, quick.search.confidence) == (2, 0.3, 0.8)
