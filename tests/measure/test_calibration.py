"""Warm-up and calibration on a fake clock."""

from __future__ import annotations

import pytest

from harness.measure import calibration
from harness.measure.calibration import Rotation


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
    calls, per_call, settled = calibration.warm_up(program, Rotation([0]), clock, longest=10.0)
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
    calls, _, settled = calibration.warm_up(program, Rotation([0]), clock, longest=0.005)
    assert not settled
    assert calls < 100


def test_the_inner_loop_makes_clock_steps_less_than_a_thousandth():
    clock = FakeClock(step=1e-6)
    found = calibration.calibrate(Program(clock), Rotation([0, 1]), clock, shortest=1e-6, longest_warm_up=1.0)
    assert found.inner_loops * 1e-5 >= 1000 * found.clock_step_seconds * 0.9


class Quickened(Program):
    """A contender whose calls take less within a loop than alone, as those of most libraries do."""

    def __call__(self, prepared):
        self.seen.append(prepared)
        alone = self.clock.now != getattr(self, "ended", None)
        self.clock.now += self.warm * (4 if alone else 1)
        self.ended = self.clock.now


def test_a_sample_lasts_as_long_as_the_suite_asks_though_calls_of_a_loop_take_less():
    clock = FakeClock()
    program = Quickened(clock)
    found = calibration.calibrate(program, Rotation([0]), clock, shortest=0.004, longest_warm_up=1.0)
    before = clock.now
    assert calibration.timed(program, Rotation([0]), found.inner_loops, clock) >= 0.004
    assert clock.now - before < 0.008


def made(**more):
    return calibration.Calibration(
        **{
            "inner_loops": 6, "call_seconds": 1e-5, "overhead_seconds": 2e-6, "single_overhead_seconds": 3e-6,
            "warm_up_calls": 0, "clock_step_seconds": 1e-7, "settled": True, **more,
        }
    )  # fmt: skip


def test_a_sample_rotates_inputs_and_subtracts_the_empty_call():
    clock = FakeClock()
    program = Program(clock, cold_calls=1)
    seconds = calibration.sample(program, Rotation(["a", "b", "c"]), made(), clock, 0.0)
    assert program.seen == ["a", "b", "c", "a", "b", "c", "a"]
    assert seconds == pytest.approx(1e-5 - 2e-6, rel=0.01)


def test_samples_of_one_call_rotate_inputs_too_and_subtract_what_a_single_empty_call_costs():
    clock = FakeClock()
    program = Program(clock, cold_calls=1)
    inputs = Rotation(["a", "b", "c"])
    seconds = [calibration.sample(program, inputs, made(inner_loops=1), clock, 0.0) for _ in range(3)]
    assert program.seen[1::2] == ["b", "a", "c"]
    assert seconds[0] == pytest.approx(1e-5 - 3e-6, rel=0.02)


def test_untimed_calls_last_as_long_as_asked_and_are_one_at_least():
    clock = FakeClock()
    counts = []
    for warm in (1e-5, 5e-4, 0.05):
        program = Program(clock, cold_calls=1, warm=warm)
        calibration.untimed(program, Rotation([0]), clock, 2e-3)
        counts.append(len(program.seen))
    assert counts == [pytest.approx(200, abs=2), pytest.approx(4, abs=1), 1]


def test_the_empty_call_is_measured_by_the_path_that_it_is_subtracted_from():
    clock = FakeClock(step=1e-6)
    found = calibration.calibrate(Program(clock), Rotation([0]), clock, shortest=1e-6, longest_warm_up=1.0)
    assert found.single_overhead_seconds == pytest.approx(1e-6)  # two readings of the clock, one of them inside
    assert found.overhead_seconds == pytest.approx(1e-6 / 2000)


def test_a_cold_cell_has_an_inner_loop_of_one():
    clock = FakeClock()
    found = calibration.calibrate(Program(clock), Rotation([0]), clock, shortest=1.0, longest_warm_up=1.0, cold=True)
    assert found.inner_loops == 1


def test_slow_calls_are_warmed_up_with_few():
    clock = FakeClock()
    program = Program(clock, cold_calls=1, warm=1.0)
    found = calibration.calibrate(program, Rotation([0]), clock, shortest=0.004, longest_warm_up=2.0, expected=1.0)
    assert found.warm_up_calls <= 3
    assert found.inner_loops == 1
