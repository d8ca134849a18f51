"""Calls of plain functions on the clock, against a clock that is moved by hand and against `timeit`."""

from __future__ import annotations

import gc
import itertools
import timeit

import pytest

from harness.functions.callee import as_callee
from harness.functions.kernel import Kernel
from harness.measure import calibration
from harness.measure.clock import monotonic
from harness.measure.timed_function import GARBAGE, GARBAGE_BYTES, TimedFunction, drawn, seeds


@pytest.fixture(autouse=True)
def _garbage_as_before():
    yield
    gc.unfreeze()
    gc.enable()


def function(call, **more):
    setup = more.pop("setup", None)
    one = TimedFunction(Kernel(function=as_callee(call), setup=as_callee(setup) if setup else None, **more), 5)
    one._function = call  # itself, and not what was made of its code
    return one


def test_inputs_are_the_same_for_all_rivals_of_a_launch_and_others_in_the_next():
    first, again, other = (list(itertools.islice(seeds(0, launch), 3)) for launch in (1, 1, 2))
    assert first == again
    assert not set(first) & set(other)


def test_a_setup_gets_what_it_asks_for():
    assert drawn(lambda n: n, 4, 2, 9) == 4
    assert drawn(lambda n, seed: (n, seed), 4, 2, 9) == (4, 9)
    assert drawn(lambda n, batch, seed: (n, batch, seed), 4, 2, 9) == (4, 2, 9)
    assert drawn(lambda n, kind="plain": (n, kind), 4, 2, 9) == (4, "plain")


def test_every_call_on_the_clock_gets_an_input_of_its_own_that_no_call_has_changed():
    def drains(queue):
        assert queue, "another call has drained it"
        while queue:
            queue.pop()

    one = function(drains, setup=lambda n: list(range(n)), takes="input", fresh=True)
    inputs = one.inputs(1, 2)
    assert one.loop(itertools.islice(itertools.cycle(inputs), 200), monotonic) > 0
    assert inputs == [[0, 1, 2, 3, 4]] * 2


def test_a_function_that_remembers_gets_a_new_draw_for_every_call():
    one = function(lambda x: None, setup=lambda n, seed: seed, takes="input", redrawn=True)
    one.inputs(1, 1)
    assert len({one._own(0) for _ in range(20)}) == 20


def test_garbage_in_cycles_is_collected_off_the_clock_before_it_grows():
    def cyclic(n):
        for _ in range(1000):
            one = []
            one.append(one)

    one = function(cyclic, takes="n")
    one.first(one.inputs(1, 1)[0])
    one.loop(itertools.repeat(1, 200), monotonic)
    assert gc.get_count()[0] < 2000


def test_large_results_in_cycles_are_bounded_by_what_they_hold():
    alive = [0, 0]  # now, and at most

    class Result:
        def __init__(self, size):
            self.content, self.own = bytearray(size), self
            alive[0] += 1
            alive[1] = max(alive)

        def __del__(self):
            alive[0] -= 1

    one = function(id, takes="n")
    one._function = lambda n: Result(2**22)  # a class that is pickled would count for itself
    one.first(one.inputs(1, 1)[0])
    one.loop(itertools.repeat(1, 60), monotonic)
    assert 2 < alive[1] <= GARBAGE_BYTES // 2**22 + 2
    assert alive[0] <= 1


def test_collecting_is_not_on_the_clock():
    """The clock moves only in calls: what is collected in between takes no time of it."""
    now = [0.0]

    def cyclic(n):
        now[0] += 1e-6
        one = [0]
        one.append(one)

    one = function(cyclic, takes="n")
    one._left_behind = GARBAGE // 10
    calls = []
    collect, gc_collect = gc.collect, lambda *_: calls.append(now.__setitem__(0, now[0] + 1.0))
    gc.collect = gc_collect
    try:
        seconds = one.loop(itertools.repeat(1, 100), lambda: now[0])
    finally:
        gc.collect = collect
    assert len(calls) >= 10
    assert seconds == pytest.approx(100e-6)


def test_a_function_that_leaves_nothing_is_called_in_one_loop():
    one = function(lambda n: [1.0] * n, takes="n")
    one.first(one.inputs(1, 1)[0])
    assert one._chunk() is None


class ClockFacts:
    """Inputs that take 8 ns each to hand out, and a clock that takes 30 ns to read."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 30e-9
        return self.now

    def take(self, count):
        for _ in range(count):
            self.now += 8e-9
            yield 1


@pytest.mark.parametrize("takes", ["n", "n and batch", "input"])
@pytest.mark.parametrize("own", [0.0, 20e-9, 100e-9, 100e-6])
def test_what_the_loop_and_the_clock_take_is_subtracted(own, takes):
    """69 ns were told for 13.5, and 83 for an empty function that takes 20."""
    ticking = ClockFacts()

    def call(*_):
        ticking.now += own

    one = function(call, takes=takes)
    known = calibration.calibrate(one, ticking, ticking, shortest=1e-3, longest_warm_up=0.01)
    assert known.overhead_seconds == pytest.approx(8e-9, rel=0.01)
    assert calibration.sample(one, ticking, known, ticking, 0.0) == pytest.approx(max(own, 1e-12), abs=0.3e-9, rel=1e-4)
    alone = calibration.timed(one, ticking, 1, ticking) - known.single_overhead_seconds
    assert alone == pytest.approx(own, abs=1e-12)


def test_a_call_costs_what_timeit_says_without_its_own_loop():
    def little(n):
        return n + 1

    one = function(little, takes="n")
    rotation = calibration.Rotation(one.inputs(1, 1))
    calls, nothing, theirs, loops = [], [], [], []
    for _ in range(40):  # in turn, the least of each: what else runs here only adds
        calls.append(calibration.timed(one, rotation, 20_000, monotonic))
        nothing.append(one.empty(rotation.take(20_000), monotonic))
        theirs.append(timeit.timeit("f(5)", number=20_000, globals={"f": little}))
        loops.append(timeit.timeit("pass", number=20_000))
    assert min(calls) - min(nothing) == pytest.approx(min(theirs) - min(loops), rel=0.25)
