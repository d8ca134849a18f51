"""Work that plain functions do off the clock: it is timed with inputs never seen before, or refused with what was found."""

from __future__ import annotations

import gc
import itertools
import time
from concurrent.futures import Future
from functools import partial

import numpy as np
import pytest
import threadpoolctl

from harness.errors import ContenderError, UserError
from harness.functions import equality
from harness.functions.callee import Callee, as_callee
from harness.functions.kernel import Kernel
from harness.functions.memoisation import time_repeated
from harness.functions.trial_child import Trial
from harness.measure import timed_function, worker
from harness.plan.specification import Specification
from harness.suite.schema import Measurement

WORK = 0.25e-3  # seconds


def work(values):
    """A quarter of a millisecond, whatever the processor is."""
    ends = time.perf_counter() + WORK
    while time.perf_counter() < ends:
        pass
    return float(values.sum())


def drawn(n, seed):
    return np.random.default_rng(seed).random(n)


def by_identity():
    answers = {}

    def remembering(values):
        key = id(values)
        if key not in answers:
            answers[key] = (values, work(values))  # kept alive, so that its address is no other's
        return answers[key][1]

    return remembering


def by_content():
    answers = {}

    def remembering(values):
        key = values.tobytes()
        if key not in answers:
            answers[key] = work(values)
        return answers[key]

    return remembering


class Lazy:
    """An output that is computed when it is looked at."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(work(self.values))


class Later:
    """An output that is computed elsewhere, as JAX's are."""

    def __init__(self, values):
        self.values, self.done = values, None

    def block_until_ready(self):
        if self.done is None:
            self.done = work(self.values)
        return self

    def __array__(self, dtype=None, copy=None):
        return np.array(self.block_until_ready().done)


def future(values):
    found = Future()
    found.set_result(work(values))
    return found


def try_(*functions, setup=drawn, compared=True, high=64):
    kernels = [
        Kernel(function=as_callee(each), compared=compared, setup=as_callee(setup) if setup else None)
        for each in functions
    ]
    asked = {
        "kernels": [each.to_json() for each in kernels],
        "low": 32,
        "high": high,
        "batch": 1,
        "seed": 0,
        "seconds": 5.0,
    }
    return Trial(asked, lambda _: None).run()


@pytest.mark.parametrize("memo", [by_identity, by_content])
@pytest.mark.parametrize("compared", [True, False])
def test_a_memo_never_sees_an_input_twice_and_the_answer_says_so(memo, compared):
    found = try_(work, memo(), compared=compared)
    assert [each.redrawn for each in found.kernels] == [False, True]
    assert any("remembers its answers: every call got an input that it had not seen" in each for each in found.notes)


def test_a_memo_of_sizes_is_told_where_there_is_no_setup():
    answers = {}

    def remembering(n):
        if n not in answers:
            answers[n] = work(np.ones(n))
        return answers[n]

    found = try_(lambda n: work(np.ones(n)), remembering, setup=None)
    assert any("remembers its answers" in each and "what is timed is remembering" in each for each in found.notes)


@pytest.mark.parametrize(
    ("lazy", "what"),
    [
        (Lazy, r"returns .*Lazy with [\d.]+ [µm]s of work left over when the call ends"),
        (Later, r"returns .*Later with [\d.]+ [µm]s of work left over when the call ends"),
        (future, "returns a future, whose work has not been done"),
        (lambda values: partial(work, values), "returns a function that has not been called"),
        (lambda values: lambda: work(values), "returns a function that has not been called"),
    ],
)
@pytest.mark.parametrize("compared", [True, False])
def test_work_that_a_call_leaves_over_is_refused(lazy, what, compared):
    with pytest.raises(UserError, match=what):
        try_(lazy, lazy, compared=compared)


def test_a_pools_promise_is_a_future():
    from multiprocessing.pool import ThreadPool

    with ThreadPool(1) as pool:
        assert equality.unconsumed(pool.apply_async(sum, ([1],))) == "a future (ApplyResult)"


@pytest.mark.parametrize("output", [np.ones(10**6), [1.0] * 1000, "text", {"a": 1}, np.float64(1.0)])
def test_what_is_there_has_nothing_left(output):
    assert equality.unfinished_seconds(output, time.perf_counter) == 0.0
    assert equality.unconsumed(output) == ""


def test_a_table_of_a_library_is_there_however_long_its_conversion_takes():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": np.arange(20_000), "b": ["x"] * 20_000})
    assert equality.unfinished_seconds(frame, time.perf_counter) == 0.0


class Counting:
    """A clock that moves where something says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(("known", "told"), [(1e-6, True), (45e-6, True), (100e-6, False), (246e-6, False)])
def test_a_memo_is_what_gains_more_than_caches_and_predictors(known, told):
    clock, seen = Counting(), set()

    def call(given):
        clock.now += known if given in seen else 246e-6
        seen.add(given)

    found = time_repeated(call, itertools.count().__next__, clock)
    assert (found is not None) == told
    if found:
        assert found == pytest.approx((246e-6, known))


def test_one_disturbance_is_no_memo():
    clock, calls_made = Counting(), itertools.count()

    def call(given):
        clock.now += 1e-4 + (1.0 if next(calls_made) == 3 else 0.0)

    assert time_repeated(call, itertools.count().__next__, clock) is None


def test_what_is_done_once_in_a_process_is_no_memo():
    clock, ready = Counting(), []

    def call(given):
        clock.now += 1e-4 if ready else 1.0
        ready.append(given)

    assert time_repeated(call, itertools.count().__next__, clock) is None


def test_a_function_that_changes_its_input_gets_copies_and_is_still_found_out():
    clock, seen = Counting(), set()

    def call(given):
        key = given.pop()
        clock.now += 1e-6 if key in seen else 1e-3
        seen.add(key)

    numbers = itertools.count()
    assert time_repeated(call, lambda: [next(numbers)], clock, own=list) is not None


@pytest.fixture
def made():
    """Workers for functions of this process."""
    functions = {}

    def make(function, **how):
        kernel = Kernel(function=Callee(label="f"), setup=Callee(label="setup"), takes="input", **how)
        functions.update({"f": function, "setup": drawn})
        measurement = Measurement(min_sample_seconds=0.0005, max_warm_up_seconds=0.05).model_dump(mode="json")
        specification = Specification(contender="c", function=kernel)
        settings = {"specification": specification.to_json(), "measurement": measurement}
        return worker.Worker(settings)

    with pytest.MonkeyPatch.context() as patch, threadpoolctl.threadpool_limits(1):
        patch.setattr(Callee, "load", lambda self: functions[self.label])
        yield make
    gc.unfreeze()
    gc.enable()


CELL = {"place": "c/64", "heads": 64, "batch_size": 1, "model_bytes": 0}


@pytest.mark.parametrize("memo", [by_identity, by_content])
@pytest.mark.parametrize("compared", [True, False])
def test_a_memo_that_the_trial_did_not_find_is_refused_after_the_samples(made, memo, compared):
    one = made(memo(), compared=compared)
    one.ready(CELL)
    with pytest.raises(ContenderError, match=r"it remembers answers: .* takes [\d.]+ [µm]s, a repeated one") as caught:
        one.audit(CELL)
    assert "functools.cache" in caught.value.next_step


def test_honest_functions_and_those_that_get_new_inputs_pass(made):
    one = made(work)
    one.ready(CELL)
    assert one.audit(CELL) == {"error": 0.0}
    assert one.audit(CELL) == {"error": 0.0}
    other = made(by_content(), redrawn=True)
    other.ready(CELL)
    assert other.audit(CELL) == {"error": 0.0}


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("time", "perf_counter"),
        ("harness.measure.worker", "monotonic"),
        ("harness.measure.timed_function", "_with_input"),
        ("harness.measure.timed_function._LOOPS", "input"),
    ],
)
def test_a_function_that_replaces_the_clock_or_its_loop_is_not_timed(made, monkeypatch, place, name):
    instant = lambda *_: 1e-9  # noqa: E731 - what stands in place of each

    def cheating(values):
        if place.endswith("_LOOPS"):
            monkeypatch.setitem(timed_function._LOOPS, name, instant)
        else:
            monkeypatch.setattr(f"{place}.{name}", instant if place.endswith("timed_function") else time.monotonic)
        return float(values.sum())

    monkeypatch.setitem(timed_function._LOOPS, "input", timed_function._LOOPS["input"])
    one = made(cheating)
    with pytest.raises(ContenderError, match=rf"its code has replaced .*{name}"):
        one.ready(CELL)
