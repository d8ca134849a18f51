"""Warm-up and calibration on a fake clock."""

from __future__ import annotations

import pytest

from harness.measure import calibration


class FakeClock:
    """A clock that moves when it is read and when something runs."""

    def __init__(self, step=1e-7):
        self.now = 0.0
        self.step = step

    def __call__(self):
        self.now += self.step
        return self.now


class Program:
    """A contender whose calls take 10 µs once it is warm."""

    def __init__(self, clock, cold_calls=40, warm=1e-5):
        self.clock, self.cold_calls, self.warm = clock, cold_calls, warm
        self.seen = []

    def __call__(self, prepared):
        self.seen.append(prepared)
        self.clock.now += self.warm * (1 + 9 * max(0.0, 1 - len(self.seen) / self.cold_calls))


def test_warm_up_ends_when_the_time_of_a_call_no_longer_falls():
    clock = FakeClock()
    program = Program(clock, cold_calls=40)
    calls, per_call, settled = calibration.warm_up(program, [0], clock, longest=10.0)
    assert settled
    assert calls >= 40
    assert per_call == pytest.approx(1e-5, rel=0.02)


def test_warm_up_that_never_settles_ends_in_time_and_says_so():
    clock = FakeClock()
    program = Program(clock, cold_calls=10**9)
    program.__class__ = type("Falling", (Program,), {"__call__": lambda self, _: self._fall()})
    program._fall = lambda: (
        setattr(program, "n", getattr(program, "n", 0) + 1) or setattr(clock, "now", clock.now + 1e-3 * 0.9**program.n)
    )
    calls, _, settled = calibration.warm_up(program, [0], clock, longest=0.005)
    assert not settled
    assert calls < 100


def test_the_inner_loop_makes_clock_steps_less_than_a_thousandth():
    clock = FakeClock(step=1e-6)
    found = calibration.calibrate(Program(clock), [0, 1], clock, shortest=1e-6, longest_warm_up=1.0)
    assert found.inner_loops * 1e-5 >= 1000 * found.clock_step_seconds * 0.9
    assert found.first_call_seconds > 5e-5


def test_a_sample_rotates_inputs_and_subtracts_the_empty_call():
    clock = FakeClock()
    program = Program(clock, cold_calls=1)
    made = calibration.Calibration(
        inner_loops=6,
        overhead_seconds=2e-6,
        warm_up_calls=0,
        first_call_seconds=0,
        clock_step_seconds=1e-7,
        settled=True,
    )
    seconds = calibration.sample(program, ["a", "b", "c"], made, clock)
    assert program.seen == ["c", "a", "b", "c", "a", "b", "c"]
    assert seconds == pytest.approx(1e-5 - 2e-6, rel=0.01)


def test_a_cold_cell_has_an_inner_loop_of_one():
    clock = FakeClock()
    assert (
        calibration.calibrate(Program(clock), [0], clock, shortest=1.0, longest_warm_up=1.0, cold=True).inner_loops == 1
    )


def test_slow_calls_are_warmed_up_with_few():
    clock = FakeClock()
    program = Program(clock, cold_calls=1, warm=1.0)
    found = calibration.calibrate(program, [0], clock, shortest=0.004, longest_warm_up=2.0)
    assert found.warm_up_calls <= 3
    assert found.inner_loops == 1
