"""How long a contender takes to be back at speed: on made-up clocks and series."""

from __future__ import annotations

import numpy as np
import pytest

from harness.measure import recovery
from harness.measure.calibration import Rotation


class Slowed:
    """Calls that are slower by a share that fades, from the first call on, with a given time constant."""

    def __init__(self, seconds, excess, fades, noise=0.0, seed=0):
        self.now, self.seconds, self.excess, self.fades, self.noise = 0.0, seconds, excess, fades, noise
        self.random = np.random.default_rng(seed)
        self.began = 0.0

    def __call__(self, prepared):
        slow = 1 + self.excess * np.exp(-(self.now - self.began) / self.fades)
        self.now += self.seconds * slow * np.exp(self.noise * self.random.standard_normal())

    def clock(self):
        return self.now

    def watched(self, longest=0.068):
        found = []
        for _ in range(recovery.repetitions(self.seconds, 0.004)):
            self.began = self.now
            found.append(recovery.watch(self, Rotation([0]), self.clock, longest))
        return found


@pytest.mark.parametrize(
    ("fades", "expected"),
    [(0.2e-3, {2e-3}), (2e-3, {8e-3}), (8e-3, {16e-3, 32e-3}), (20e-3, {32e-3, 64e-3})],
)
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_shortest_rung_after_which_little_excess_is_left(fades, expected, noise):
    for seed in range(10):
        program = Slowed(1e-4, 0.25, fades, noise, seed)
        found = recovery.recovery(program.watched(), 0.004)
        assert found in expected  # by hand: at the rung, 0.25 exp(-u / fades) is left, and half of it by its double
        assert 0.25 * np.exp(-found / fades) < 0.06


def test_without_any_excess_the_first_rung_is_enough():
    for seed in range(20):
        assert recovery.recovery(Slowed(1e-4, 0.0, 1.0, 0.05, seed).watched(), 0.004) <= 4e-3


def test_one_disturbed_repetition_does_not_count():
    quiet, disturbed = Slowed(1e-4, 0.0, 1.0).watched(), Slowed(1e-4, 0.5, 30e-3).watched()
    assert recovery.recovery([quiet[0], disturbed[0], quiet[1]], 0.004) == 2e-3


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_calls_longer_than_a_sample_are_judged_by_the_call_that_follows_the_untimed_ones(noise):
    rungs = {recovery.recovery(Slowed(9e-3, 0.3, 9e-3, noise, seed).watched(), 0.004) for seed in range(10)}
    # after 2, 4 and 8 ms one call was made and 10 % are left in the next; 0.7 % after three or four (32 ms)
    assert rungs <= {16e-3, 32e-3}
    if not noise:
        assert rungs == {32e-3}


def test_it_is_watched_more_often_where_a_sample_holds_few_calls():
    assert recovery.repetitions(0.0, 0.005) == recovery.repetitions(5e-4, 0.005) == 3
    assert recovery.repetitions(3e-3, 0.005) == 8  # 12 calls of 3 ms are 7.2 samples
    assert recovery.repetitions(9e-3, 0.005) == 12
    assert recovery.repetitions(30e-3, 0.005) == 4  # of 8 calls each, within a second
    assert recovery.repetitions(60e-3, 0.005) == 3


def test_calls_that_last_longer_than_the_ladder_are_watched_a_few_times():
    windows = recovery.watch(program := Slowed(0.2, 0.0, 1.0), Rotation([0]), program.clock, 0.068)
    assert len(windows) == 5  # a second of them
    assert recovery.recovery([windows] * 3, 0.004) == 2e-3  # one untimed call is made in any case


def test_after_the_first_time_it_is_watched_for_as_long_as_it_needs():
    assert recovery.seconds_to_watch([], 0.004) == pytest.approx(0.068)
    assert recovery.seconds_to_watch(Slowed(1e-4, 0.0, 1.0).watched()[:1], 0.004) == pytest.approx(0.012)


def test_what_is_known_serves_within_a_factor_of_two():
    known = recovery.Recoveries()
    known.add("a", 100, 32, 4e-3)
    known.add("a", 300, 32, 8e-3)
    known.add("a", 300, 32, 2e-3)
    assert known.known("a", 100, 32) == known.known("a", 51, 32) == 4e-3
    assert known.known("a", 180, 32) == 8e-3  # between two: the longer
    assert known.known("a", 49, 32) is known.known("a", 100, 1) is known.known("b", 100, 32) is None
    assert known.table() == {"a": {"32": {"100": 4e-3, "300": 8e-3}}}
    resumed = recovery.Recoveries()
    resumed.take(known.table())
    assert resumed.table() == known.table()
