"""The spread between machines, against sums by hand over a published data set and against effects that were drawn."""

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


def by_hand(y, v, quantile_of_means, quantile_of_predictions):
    """The same estimate by another way, in sums: tau squared solves the likelihood's equation, and is not searched for.

    tau squared = (sum of w^2 ((y - m)^2 - v)) / (sum of w^2) + 1 / (sum of w), w = 1 / (v + tau squared) and m the weighted mean
    (Viechtbauer 2005, Journal of Educational and Behavioral Statistics 30:261); the standard error squared is the sum of
    w (y - m)^2 over (k - 1) times the sum of w (Hartung and Knapp 2001).
    """
    squared = 0.0
    for _ in range(500):
        w = [1 / (each + squared) for each in v]
        mean = sum(a * b for a, b in zip(w, y, strict=True)) / sum(w)
        over = sum(a**2 * ((b - mean) ** 2 - c) for a, b, c in zip(w, y, v, strict=True))
        squared = max(0.0, over / sum(a**2 for a in w) + 1 / sum(w))
    error = math.sqrt(sum(a * (b - mean) ** 2 for a, b in zip(w, y, strict=True)) / ((len(y) - 1) * sum(w)))
    return mean, squared, error, quantile_of_means * error, quantile_of_predictions * math.sqrt(squared + error**2)


def test_the_worked_example_of_metafor():
    """13 trials: t of 12 and of 11 degrees of freedom are 2.178813 and 2.200985."""
    found = random_effects(*bcg())
    mean, squared, error, half, reach = by_hand(*bcg(), 2.178813, 2.200985)
    assert (round(mean, 4), round(squared, 4), round(error, 4)) == (-0.7145, 0.3132, 0.1808)
    plain = 1 / math.sqrt(sum(1 / (each + found.tau**2) for each in bcg()[1]))
    assert (round(found.centre, 4), round(found.tau**2, 4), round(plain, 4)) == (-0.7145, 0.3132, 0.1798)  # published
    assert found.machines == 13
    assert found.centre == pytest.approx(mean, abs=1e-6)
    assert found.tau**2 == pytest.approx(squared, abs=1e-5)
    assert [found.low, found.high] == pytest.approx([mean - half, mean + half], abs=1e-5)
    assert [found.predicted_low, found.predicted_high] == pytest.approx([mean - reach, mean + reach], abs=1e-5)


def test_it_is_not_the_estimate_of_dersimonian_and_laird():
    """(Q - (k - 1)) / (sum of w - sum of w squared / sum of w), w = 1 / v: published as 0.3088, with a centre of -0.7141."""
    y, v = bcg()
    w = [1 / each for each in v]
    mean = sum(a * b for a, b in zip(w, y, strict=True)) / sum(w)
    q = sum(a * (b - mean) ** 2 for a, b in zip(w, y, strict=True))
    squared = (q - (len(y) - 1)) / (sum(w) - sum(a**2 for a in w) / sum(w))
    assert round(squared, 4) == 0.3088
    assert random_effects(y, v).tau ** 2 - squared > 0.004


def test_taus_interval_is_where_cochrans_q_has_the_quantiles_of_chi_squared():
    """Of 12 degrees of freedom: 4.403789 and 23.336664."""
    found, (y, v) = random_effects(*bcg()), bcg()

    def q(squared):
        w = [1 / (each + squared) for each in v]
        mean = sum(a * b for a, b in zip(w, y, strict=True)) / sum(w)
        return sum(a * (b - mean) ** 2 for a, b in zip(w, y, strict=True))

    assert [q(found.tau_low**2), q(found.tau_high**2)] == pytest.approx([23.336664, 4.403789], abs=1e-4)
    assert (round(found.tau_low**2, 4), round(found.tau_high**2, 4)) == (0.1197, 1.1115)


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
