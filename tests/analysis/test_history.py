"""History: steps are found where they are, and noise has none."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.history import history, steps
from tests.synthetic import Maker


def test_a_step_is_found_in_the_run_that_brings_it():
    assert steps([1.00, 1.01, 0.99, 1.02, 1.00, 1.31, 1.29, 1.30]) == (5,)
    assert steps([1.00, 1.01, 0.99, 1.02, 1.00, 1.31]) == (5,)


def test_several_steps():
    assert steps([1.0, 1.01, 1.0, 2.0, 2.02, 2.01, 1.5, 1.51, 1.49]) == (3, 6)


def test_noise_has_few_steps():
    generator = np.random.default_rng(0)
    found = sum(bool(steps(np.exp(generator.normal(0, 0.02, 20)))) for _ in range(200))
    assert found <= 10


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
