"""History: steps are found where they are, and noise has none."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from harness.analysis.compare.history import history, steps
from harness.report import comparison
from tests.synthetic import SUITE, Maker


def test_a_step_is_found_in_the_run_that_brings_it():
    assert steps([1.00, 1.01, 0.99, 1.02, 1.00, 1.31, 1.29, 1.30]) == (5,)
    assert steps([1.00, 1.01, 0.99, 1.02, 1.00, 1.31]) == (5,)


def test_several_steps():
    assert steps([1.0, 1.01, 1.0, 2.0, 2.02, 2.01, 1.5, 1.51, 1.49]) == (3, 6)


def test_noise_has_few_steps():
    generator = np.random.default_rng(0)
    found = sum(bool(steps(np.exp(generator.normal(0, 0.02, 20)))) for _ in range(200))
    assert found <= 10


@pytest.mark.parametrize("runs", [4, 6, 20])
def test_many_quantities_of_noise_seldom_have_a_step_in_any(runs):
    generator = np.random.default_rng(runs)
    found = sum(
        any(steps(np.exp(generator.normal(0, 0.1, runs)), quantities=30) for _ in range(30)) for _ in range(100)
    )
    assert found <= 9


def test_readings_that_know_little_have_no_steps():
    values = [1.00, 1.001, 0.999, 1.002, 1.00, 1.31, 1.29, 1.30]
    assert steps(values, [0.01] * 8) == (5,)
    assert steps(values, [0.3] * 8) == ()
    assert steps(values, [math.nan] * 8) == (5,)


def test_noisy_launches_are_no_steps():
    runs = [
        Maker(seed=day, launch_sigma=0.1).table(launches=4).evidence(started=f"2026-01-{day:02}T00:00:00+00:00")
        for day in range(1, 13)
    ]
    assert [each.name for each in history(runs) if each.steps] == []


def test_quick_runs_among_full_ones_are_remarked():
    runs = [
        Maker(seed=day).table(launches=2).evidence(quick=day == 2, started=f"2026-01-0{day}T00:00:00+00:00")
        for day in (1, 2, 3)
    ]
    remarks = [each.remark for each in history(runs)[0].readings]
    assert remarks == ["", "a quick run, after a full one", "a full run, after a quick one"]


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0]])
def test_too_few_runs_have_no_steps(values):
    assert steps(values) == ()


def test_runs_are_put_in_order_and_named():
    runs = [
        Maker(seed=day, slowed={"teacher": 1.5 if day > 3 else 1.0}).table(launches=4).evidence(
            started=f"2026-01-0{day}T00:00:00+00:00", commit=f"c{day}"
        )
        for day in (5, 1, 2, 3, 4, 6)
    ]  # fmt: skip
    series = {each.name: each for each in history(runs)}
    teacher = series["teacher at N = 1,024, batch 1"]
    assert [each.commit for each in teacher.readings] == ["c1", "c2", "c3", "c4", "c5", "c6"]
    assert teacher.steps == (3,)
    assert teacher.step(3) == pytest.approx(1.5, rel=0.05)
    assert series["student at N = 1,024, batch 1"].steps == ()


def test_suites_are_kept_apart():
    runs = [Maker(SUITE | {"name": name}).table(launches=2).evidence() for name in ("one", "other", "one")]
    found = [each for each in history(runs) if each.name == "teacher at N = 18, batch 1"]
    assert [(each.suite, len(each.readings)) for each in found] == [("one", 2), ("other", 1)]


def test_a_line_for_each_quantity_says_where_a_level_began():
    runs = [
        Maker(seed=day, slowed={"teacher": 1.5 if day > 3 else 1.0}).table(launches=4).evidence(
            Path(f"results/day-{day}"), started=f"2026-01-0{day}T00:00:00+00:00"
        )
        for day in range(1, 7)
    ]  # fmt: skip
    lines = comparison.history(history(runs)).splitlines()
    assert lines[0] == "synthetic: 6 runs"
    told = next(line for line in lines if line.startswith("teacher at N = 1,024, batch 1 "))
    assert re.search(r"1\.[45]\dx +1\.[45]\dx in day-4$", told)
    assert sum("x in day-" in line for line in lines) == 6  # the teacher's cells


def test_commits_and_versions_that_changed_stand_beside_a_new_level():
    runs = [
        Maker(seed=day, slowed={"teacher": 1.5 if day > 3 else 1.0}).table(launches=4).evidence(
            started=f"2026-01-0{day}T00:00:00+00:00", commit=f"c{day}",
            versions={"torch": "2.13" if day > 3 else "2.12", "numpy": "2.4.0"},
        )
        for day in range(1, 6)
    ]  # fmt: skip
    series = {each.name: each for each in history(runs)}["teacher at N = 1,024, batch 1"]
    assert series.steps == (3,)
    assert series.readings[3].changed == ("commit: c3 -> c4", "torch: 2.12 -> 2.13")
    assert "synthetic: new levels: commit: c3 -> c4; torch: 2.12 -> 2.13" in comparison.history([series])
    assert "commit: c3 -> c4; torch: 2.12 -> 2.13" in comparison.readings([series])
    assert "c1 -> c2" not in comparison.readings([series])


def test_a_contender_that_was_redefined_is_remarked_where_it_was():
    other = {**SUITE, "contenders": {**SUITE["contenders"], "teacher": {"projector": "lda", "runtime": "eager"}}}
    runs = [
        Maker(suite, seed=day).table(launches=2).evidence(started=f"2026-01-0{day}T00:00:00+00:00")
        for day, suite in ((1, SUITE), (2, other))
    ]
    series = {each.name: each for each in history(runs)}
    assert series["teacher at N = 1,024, batch 1"].readings[1].remark.startswith("teacher was redefined: ")
    assert series["loop at N = 1,024, batch 1"].readings[1].remark == ""
