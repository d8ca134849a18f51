"""Work that is not on the clock: found by rule, by calls on a made-up clock, and in a run of plugins that hide it."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
import yaml

import harness
from harness.errors import ContenderError
from harness.measure import calibration
from harness.measure.off_clock import CallTimes, CopyTimes, fresh_rows, prove, timed_call, why_off_clock
from harness.measure.tamper_check import Seal
from harness.measure.timed_projection import TimedProjection
from harness.records.writer import read
from tests import warm

PLUGIN = Path(__file__).parents[1] / "fixtures" / "plugins" / "cheats.py"
FAULTY = PLUGIN.with_name("faulty.py")
COPYING = CopyTimes(queries=1e-6, projections=1e-6)
WORK = 246e-6


def plugin():
    specification = importlib.util.spec_from_file_location("cheats", PLUGIN)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


CHEATS = plugin()


class Clock:
    """Seconds that pass where something says so."""

    def __init__(self):
        self.now = 0.0
        self.noise = iter(())

    def __call__(self):
        return self.now

    def work(self, seconds):
        self.now += seconds + next(self.noise, 0.0)


def proved(compiled_class, work=WORK, noise=(), batches=4):
    """What `prove` says about a way of calling, on a clock that only the projection moves."""
    clock = Clock()
    matrix = np.random.default_rng(1).standard_normal((6, 5)).astype(np.float32)

    def projection(queries):
        clock.work(work)
        return queries @ matrix

    compiled = compiled_class(projection)
    calling = TimedProjection(compiled)
    given = list(np.random.default_rng(0).standard_normal((batches, 3, 6)).astype(np.float32))
    before = np.copy(given)
    prepared = calling.prepare(given[0])
    known = calling.answer(prepared)
    calling.answer(prepared)
    clock.noise = iter(noise)
    try:
        again = prove(calling, given, prepared, known, clock, tolerance=1e-4)
    finally:
        assert np.array_equal(given, before)
    np.testing.assert_array_equal(calling.answer(again), known)


@pytest.mark.parametrize("batches", [1, 4])
@pytest.mark.parametrize("way", [CHEATS.Honest, CHEATS.Wrapped])
def test_sound_runtimes_pass(way, batches):
    proved(way, batches=batches)


@pytest.mark.parametrize("batches", [1, 4])
@pytest.mark.parametrize(
    ("way", "what", "next_step"),
    [
        (CHEATS.ByIdentity, "remembers answers by the memory of their queries", "keep no answers between calls"),
        (
            CHEATS.ByContent,
            "a call with queries that it has not seen takes 246 µs, a repeated one 0 ns",
            "keep no answers",
        ),
        (CHEATS.Lazy, "its result() takes 246 µs after a call of 0 ns", "finish it in __call__"),
        (CHEATS.Early, "its prepare() takes 246 µs, the call 0 ns", "compute in __call__"),
    ],
)
def test_work_off_the_clock_is_named_with_what_to_do(way, what, next_step, batches):
    with pytest.raises(ContenderError) as caught:
        proved(way, batches=batches)
    assert what in str(caught.value)
    assert next_step in caught.value.next_step


def test_one_call_that_is_interrupted_hides_nothing():
    class Interrupted(CHEATS.Early):
        calls = 0

        def __call__(self, prepared):
            self.calls += 1
            if self.calls == 3:  # the first that is looked at; two were made before
                self.projection(np.ones((3, 6), dtype=np.float32))
            return super().__call__(prepared)

    with pytest.raises(ContenderError, match="its prepare\\(\\) takes 246 µs, the call 0 ns"):
        proved(Interrupted)


def test_a_future_is_work_that_is_left_over():
    wrong = why_off_clock(CallTimes(call=12e-6, result=230e-6), CallTimes(call=13e-6, result=240e-6), COPYING)
    assert "its result() takes 230 µs after a call of 12.0 µs" in str(wrong)


def test_a_call_with_transfers_and_a_queue_are_taken_as_they_are_timed():
    class Queue(harness.Compiled):
        def enqueue(self, prepared):
            return prepared

        def __call__(self, prepared):
            return prepared

        def synchronise(self):
            clock.work(1.0)

    clock = Clock()
    queued, _ = timed_call(TimedProjection(Queue(), mode="pipelined"), np.ones((1, 2), np.float32), clock)
    assert (queued.call, queued.result) == (1.0, 1.0)  # waited for on the clock, and once more for the result
    waited, _ = timed_call(TimedProjection(Queue()), np.ones((1, 2), np.float32), clock)
    assert (waited.call, waited.result) == (0.0, 1.0)  # work that a call leaves to the next wait


@pytest.mark.parametrize(
    ("repeated", "new"),
    [
        ({"call": 8e-6, "result": 4e-6}, {"call": 17e-6, "result": 4e-6, "prepare": 36e-6}),  # a small ONNX session
        ({"call": 31e-6, "result": 7e-6}, {"call": 43e-6, "result": 7e-6, "prepare": 105e-6}),  # a small OpenVINO request
        ({"call": 0.5, "result": 1e-3}, {"call": 0.9, "result": 1e-3, "prepare": 1e-3}),  # a long call beside noise
        ({"call": 2e-6, "result": 80e-6, "converting": 77e-6}, {"call": 2e-6, "result": 80e-6, "converting": 77e-6}),  # lists
        ({"call": 6e-7, "result": 3e-7}, {"call": 6e-7, "result": 3e-7, "prepare": 1e-5}),  # a trivial function
    ],
)  # fmt: skip
def test_what_sound_runtimes_take_is_in_order(repeated, new):
    assert why_off_clock(CallTimes(**repeated), CallTimes(**new), COPYING) is None


def test_large_arrays_may_take_as_long_as_copies_do():
    copying = CopyTimes(queries=50e-6, projections=50e-6)
    taken = CallTimes(call=250e-6, result=190e-6, prepare=190e-6)
    assert why_off_clock(taken, taken, copying) is None
    assert why_off_clock(taken, taken, COPYING) is not None


def test_a_result_may_touch_new_memory_where_that_takes_long():
    """Seen on a virtual machine where a page's first touch takes 4 µs: 40 µs for the two copies that ONNX Runtime makes."""
    taken = CallTimes(call=145e-6, result=40e-6)
    assert why_off_clock(taken, taken, CopyTimes(queries=5e-6, projections=5e-6, projection_pages=17e-6)) is None
    assert why_off_clock(taken, taken, CopyTimes(queries=5e-6, projections=4e-6)) is not None


def test_what_is_measured_of_copies_grows_with_the_array():
    small, large = (CopyTimes.of([count, 384], [count, 384], time.perf_counter) for count in (1, 8192))
    assert large.projections > small.projections
    assert large.projection_pages > small.projection_pages


def test_a_graph_that_is_captured_in_prepare_and_first_replayed_later_passes_on_a_device():
    repeated, new = CallTimes(call=9e-6, result=4e-5), CallTimes(call=3e-4, result=4e-5, prepare=5e-3)
    assert why_off_clock(repeated, new, COPYING, on_device=True) is None


def test_one_disturbed_call_is_measured_again_before_anything_fails():
    proved(CHEATS.Honest, noise=[0.0, 1.0])  # the first new call takes a second
    proved(CHEATS.Honest, noise=[0.0, 1.0] + [0.5, 0.0, 1.0] * 3)  # and so do some of those after it


def test_new_queries_are_never_rows_that_were_seen():
    batches = np.random.default_rng(0).standard_normal((4, 8, 6)).astype(np.float32)
    found = fresh_rows(batches, np.random.default_rng(1))
    known = {row.tobytes() for row in batches.reshape(-1, 6)}
    assert not known & {row.tobytes() for row in found}
    lengths = np.linalg.norm(found, axis=1)
    assert np.abs(lengths[:, None] / np.linalg.norm(batches.reshape(-1, 6), axis=1) - 1).min(axis=1).max() <= 2e-3


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("harness.measure.clock", "monotonic"), ("harness.measure.calibration", "sample"), ("time", "perf_counter"),
        ("harness.measure.calibration", "itertools"), ("harness.measure.off_clock", "_FLOOR_SECONDS"),
        ("harness.functions.memoisation", "FACTOR"),
    ],
)  # fmt: skip
def test_a_replaced_clock_or_loop_is_named(monkeypatch, place, name):
    importlib.import_module(place)
    seal = Seal()
    seal.check()
    monkeypatch.setattr(f"{place}.{name}", lambda *_: 0.0)
    with pytest.raises(ContenderError, match=f"its code has replaced {place}.{name}, which takes the time"):
        seal.check()


def test_a_method_and_the_code_of_a_function_are_sealed_too(monkeypatch):
    seal = Seal()
    with monkeypatch.context() as patch:
        patch.setattr(calibration.Rotation, "take", lambda *_: iter(()))
        with pytest.raises(ContenderError, match=r"calibration\.Rotation\.take"):
            seal.check()
    seal.check()
    monkeypatch.setattr(
        calibration.timed, "__code__", types.CodeType.replace(calibration.timed.__code__, co_firstlineno=1)
    )
    with pytest.raises(ContenderError, match=r"calibration\.timed"):
        seal.check()


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of all ways, each in a process of its own."""
    folder = tmp_path_factory.mktemp("cheats")
    ways = CHEATS.COMPILED
    suite = {
        "name": "cheats",
        "plugins": [str(PLUGIN), str(FAULTY)],
        "source": {"use": "small"},
        "heads": {"values": [4]},
        "batch_sizes": [2],
        "contenders": {
            way: {"projector": "heavy", "runtime": "ways", "runtime_options": {"way": way}} for way in ways
        },
        "races": [],
        "measurement": {
            "launches": 2, "rounds": 2, "latency_calls": 3, "min_sample_seconds": 0.0003, "self_check": False,
            "max_warm_up_seconds": 0.05, "limits": False,
        },
    }  # fmt: skip
    (folder / "cheats.yaml").write_text(yaml.safe_dump(suite))
    command = [
        sys.executable,
        "-m",
        "harness",
        "run",
        "cheats.yaml",
        "--output",
        "out",
        "--allow-plugin",
        str(PLUGIN.parent),
    ]
    environment = {**os.environ, "HARNESS_CACHE": str(folder / "cache")}
    done = warm.ran(command, cwd=folder, env=environment, timeout=150)
    assert done.returncode == 1, done.stdout + done.stderr
    return {each.contender: each for each in reversed(read(folder / "out").measurements)}


@pytest.mark.parametrize(
    ("way", "what"),
    [
        ("by-identity", "it remembers answers"),
        ("by-content", "it remembers answers: a call with queries that it has not seen takes"),
        ("lazy", "work is left over when the call ends"),
        ("future", "work is left over when the call ends"),
        ("early", "the work is done before the call begins"),
        ("slow-clock", "its code has replaced time.perf_counter"),
        ("other-clock", "its code has replaced __main__.monotonic"),
        ("other-loop", "its code has replaced harness.measure.calibration.timed"),
        ("other-module", "its code has replaced __main__.calibration"),
        ("other-overhead", "its code has replaced harness.measure.calibration.overhead"),
        ("other-floor", "its code has replaced harness.measure.off_clock._FLOOR_SECONDS"),
    ],
)
def test_no_cheat_is_timed(ran, way, what):
    assert ran[way].outcome == "failed"
    assert what in ran[way].failure.what


@pytest.mark.parametrize("way", ["honest", "wrapped"])
def test_sound_runtimes_are_timed_beside_them(ran, way):
    assert ran[way].outcome == "measured", ran[way].failure


def test_an_export_that_spoils_its_process_and_the_cache_is_the_only_one_to_fail(ran):
    assert "default_rng" in ran["vandal"].failure.what or "NoneType" in ran["vandal"].failure.what
    assert {way for way, each in ran.items() if each.failure and each.failure.stage == "build"} == {"vandal"}
