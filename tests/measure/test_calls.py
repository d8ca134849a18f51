"""Calls of plain functions on the clock, against a clock that is moved by hand and against `timeit`."""

from __future__ import annotations

import gc
import itertools
import timeit

import pytest

from harness.functions.callee import shipped
from harness.functions.kernel import Kernel
from harness.measure import calibration
from harness.measure.calls import GARBAGE, Function, drawn, seeds
from harness.measure.clock import monotonic


@pytest.fixture(autouse=True)
def _garbage_as_before():
    yield
    gc.unfreeze()
    gc.enable()


def function(call, **more):
    setup = more.pop("setup", None)
    return Function(Kernel(function=shipped(call), setup=shipped(setup) if setup else None, **more), 5)


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
    assert gc.get_count()[0] <= GARBAGE + 2000


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
