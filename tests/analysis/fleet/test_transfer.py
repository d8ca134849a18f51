"""N* predicted from a machine's limits, never from its own N*."""

from __future__ import annotations

import math

import pytest

from harness.analysis.fleet.transfer import transfer


def test_limits_that_explain_everything_predict_without_error():
    floors = [50.0, 100.0, 200.0, 400.0]
    found = transfer([3 * each for each in floors], floors)
    assert found.predicted == pytest.approx([150, 300, 600, 1200])
    assert found.error == pytest.approx(1.0)
    assert found.error_by_others > 1.5


def test_a_machines_own_crossover_does_not_enter_its_prediction():
    floors = [50.0, 100.0, 200.0]
    one, other = transfer([150.0, 300.0, 600.0], floors), transfer([150.0, 300.0, 6000.0], floors)
    assert one.predicted[2] == pytest.approx(other.predicted[2])
    assert other.predicted[0] != pytest.approx(one.predicted[0])


def test_the_error_is_the_root_mean_square_of_the_log_ratios():
    found = transfer([100.0, 200.0], [10.0, 10.0])  # predicted 200 and 100: both by a factor of 2
    assert found.predicted == pytest.approx([200.0, 100.0])
    assert found.error == pytest.approx(math.exp(math.log(2)))
    assert found.error_by_others == pytest.approx(2.0)


def test_machines_without_limits_or_crossovers_are_left_out():
    found = transfer([100.0, None, 300.0], [10.0, 20.0, None])
    assert found.predicted == (None, pytest.approx(200.0), None)  # the first: no other has both
    assert found.by_others == (pytest.approx(300.0), pytest.approx(math.sqrt(30000)), pytest.approx(100.0))
    assert found.error is None
