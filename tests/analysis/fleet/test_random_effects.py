"""The spread between machines, against the worked example of metafor and against effects that were drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.fleet.random_effects import random_effects

# metafor's dat.bcg (Colditz and others 1994): cases and others among the vaccinated, and among the controls
BCG = [
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
    (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
]  # fmt: skip


def bcg():
    """Log risk ratios and their variances."""
    effects = [math.log(a / (a + b) / (c / (c + d))) for a, b, c, d in BCG]
    return effects, [1 / a - 1 / (a + b) + 1 / c - 1 / (c + d) for a, b, c, d in BCG]


def test_the_worked_example_of_metafor():
    """`rma(yi, vi, data=dat)`: -0.7145, tau squared 0.3132 (0.1197 to 1.1115)."""
    found = random_effects(*bcg())
    assert found.machines == 13
    assert round(found.centre, 4) == -0.7145
    assert (found.high - found.low) / 2 == pytest.approx(2.17881 * 0.1808, abs=1e-4)  # t of 12 degrees of freedom
    assert round(found.tau**2, 4) == 0.3132
    assert (round(found.tau_low**2, 4), round(found.tau_high**2, 4)) == (0.1197, 1.1115)
    half = 2.2010 * math.sqrt(
        0.3132 + 0.1807**2
    )  # t of 11 degrees of freedom, and the standard error that metafor prints
    assert found.predicted_high - found.centre == pytest.approx(half, abs=2e-4)


def test_machines_that_agree_have_no_spread():
    found = random_effects([1.0, 1.01, 0.99, 1.0, 1.005, 0.995, 1.0, 1.0], [0.01] * 8)
    assert found.tau == pytest.approx(0.0, abs=1e-6)
    assert found.tau_low == 0.0
    assert found.low < 1.0 < found.high
    assert found.high - found.low >= 2 * 1.96 * math.sqrt(0.01 / 8)  # not narrower than what was measured allows


@pytest.mark.parametrize("tau", [0.0, 0.1, 0.5])
def test_a_machine_not_seen_lies_in_the_prediction_about_as_often_as_said(tau):
    draw = np.random.default_rng(3)
    hits, centres = [], []
    for _ in range(300):
        variances = draw.uniform(0.0004, 0.01, 10)
        effects = draw.normal(5.0, tau, 10) + draw.normal(0, np.sqrt(variances))
        found = random_effects(effects.tolist(), variances.tolist())
        hits.append(found.predicted_low <= draw.normal(5.0, tau) <= found.predicted_high)
        centres.append(found.low <= 5.0 <= found.high)
    assert 0.88 <= np.mean(hits) <= 1.0  # 0.91 in 1,500 draws where tau is 0.1
    assert 0.90 <= np.mean(centres) <= 1.0


def test_two_machines_are_too_few():
    with pytest.raises(ValueError, match="needs 3 machines or more, got 2"):
        random_effects([1.0, 2.0], [0.1, 0.1])
