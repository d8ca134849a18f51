"""Doubts: each kind of noise is told with its remedy, and a clean row is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.diagnostics import doubts
from tests.synthetic import Maker


def rows(change=None, *, launches=8, rounds=12, sigma=0.03, machine=None, update=None):
    """The doubts about one cell whose samples were changed: `change(launch, seconds)` gives the new ones."""
    maker = Maker(sigma=sigma)
    found = []
    for launch in range(1, launches + 1):
        record = maker.visit(["teacher"], 1024, 1, launch, rounds)[0]
        seconds = record.sampled.seconds if change is None else tuple(change(launch, np.array(record.sampled.seconds)))
        record = record.model_copy(update={"sampled": record.sampled.model_copy(update={"seconds": seconds})})
        found.append(record.model_copy(update=update or {}))
    return {each.code: str(each) for each in doubts(found, machine or {"usable_cores": 2})}


def test_a_clean_row_is_left_alone():
    assert rows() == {}


def test_clean_rows_are_seldom_doubted():
    told = 0
    for seed in range(150):
        maker = Maker(seed=seed, sigma=0.08, launch_sigma=0.02)
        records = [maker.visit(["teacher"], 1024, 1, launch, 6)[0] for launch in range(1, 9)]
        told += any(each.code in ("drift", "modes", "clock") for each in doubts(records))
    assert told <= 6


def test_too_few_launches():
    assert rows(launches=2)["launches"] == (
        "only 2 launches: process-to-process variation is underestimated: "
        "measure with `measurement.launches: 8`, without --quick"
    )


def test_drift_within_launches():
    told = rows(lambda launch, seconds: seconds * np.linspace(1.0, 1.3, len(seconds)))
    assert told["drift"].startswith("samples of a launch change by +1")
    assert told["drift"].endswith("raise measurement.max_warm_up_seconds")


def test_drift_over_the_run():
    told = rows(lambda launch, seconds: seconds * 1.06**launch)
    assert "over the run" in told["drift"]
    assert "ratios of pairs are not affected" in told["drift"]


def test_two_modes():
    told = rows(lambda launch, seconds: seconds * np.where(np.arange(len(seconds)) % 3 == 0, 1.5, 1.0))
    assert told["modes"].startswith("times fall into two groups 5")
    assert "33% in the slower" in told["modes"]


def test_a_few_outliers_are_no_second_mode():
    assert "modes" not in rows(lambda launch, seconds: np.where(np.arange(len(seconds)) == launch, 5, 1) * seconds)


def test_a_coarse_clock():
    told = rows(lambda launch, seconds: np.round(seconds, 4))
    assert told["clock"].endswith("the clock is too coarse: raise measurement.min_sample_seconds")


def test_launches_that_disagree():
    told = rows(lambda launch, seconds: seconds * (1.5 if launch % 2 else 1.0))
    assert told["spread"].startswith("launches differ, the interval is ±")


@pytest.mark.parametrize(("busy", "told"), [(2.0, True), (1.3, False)])
def test_cores_that_others_keep_busy(busy, told):
    found = rows(update={"busy_cores": busy, "threads": {"openblas": 1}})
    assert ("load" in found) == told
    if told:
        assert found["load"] == (
            "something else kept 1.0 of 2 cores busy while it was measured: measure when the machine is otherwise idle"
        )


@pytest.mark.parametrize(("share", "told"), [(0.08, True), (0.005, False)])
def test_time_that_other_guests_took(share, told):
    found = rows(update={"stolen_share": share})
    assert ("steal" in found) == told
    if told:
        assert found["steal"].startswith("other virtual machines took 8% of the time while it was measured: ")


def test_what_the_worker_said_is_passed_on_once():
    told = rows(update={"warnings": ("its warm-up did not settle: raise measurement.max_warm_up_seconds",)})
    assert told == {"worker": "its warm-up did not settle: raise measurement.max_warm_up_seconds"}


def test_what_only_a_search_visited_needs_no_precision():
    assert "launches" not in rows(launches=1, update={"purpose": "search"})
