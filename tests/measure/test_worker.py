"""The operations of a worker on a plain function and on a made-up contender, in this process."""

from __future__ import annotations

import gc
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import harness
from harness.errors import ParityError
from harness.functions.callee import Callee
from harness.functions.kernel import Kernel
from harness.measure import worker as module
from harness.plan.specification import Specification
from harness.suite.schema import Measurement

CALLED: list[tuple[int, int]] = []


def counted(heads, batch):
    CALLED.append((heads, batch))
    return sum(range(2000))


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """A worker leaves garbage alone and limits threads, for the whole of its process."""
    import threadpoolctl

    CALLED.clear()
    stand_in = types.ModuleType("counted_functions")
    stand_in.counted = counted
    monkeypatch.setitem(sys.modules, "counted_functions", stand_in)
    with threadpoolctl.threadpool_limits(1):
        yield
    gc.unfreeze()
    gc.enable()


def worker(**how):
    settings = {"min_sample_seconds": 0.0005, "max_warm_up_seconds": 0.05, **how}
    specification = Specification(
        contender="counted",
        function=Kernel(function=Callee(label="counted", module="counted_functions", attribute="counted")),
    )
    return module.Worker(
        {
            "specification": specification.to_json(),
            "measurement": Measurement(**settings).model_dump(mode="json"),
            "last_level_cache_bytes": 2**20,
        }
    )


CELL = {"place": "counted/5", "heads": 5, "batch_size": 3, "model_bytes": 0}


def test_a_function_is_called_with_n_and_batch_and_its_first_call_is_timed_before_any_other():
    ready = worker().ready(CELL)
    assert set(CALLED) == {(5, 3)}
    assert ready["first_call_seconds"] > 0
    assert ready["inner_loops"] > 1
    assert ready["base_rss_bytes"] > 2**20
    assert ready["added_rss_bytes"] >= 0


def test_a_cell_that_is_ready_is_not_warmed_up_again():
    one = worker()
    one.ready(CELL)
    before = len(CALLED)
    again = one.ready(CELL)
    assert len(CALLED) == before
    assert (again["first_call_seconds"], again["added_rss_bytes"]) == (None, None)


def test_a_warm_sample_makes_one_loop_after_untimed_calls():
    one = worker()
    ready = one.ready(CELL)
    before = len(CALLED)
    assert one.sample({**CELL, "untimed_seconds": 0.0})["seconds"] > 0
    assert len(CALLED) - before == 1 + ready["inner_loops"]
    before = len(CALLED)
    for _ in range(10):  # one of them may be kept from its core for all of its untimed time
        one.sample({**CELL, "untimed_seconds": 0.005})
    assert len(CALLED) - before > 10 * (1 + ready["inner_loops"])


def test_a_rehearsal_makes_the_calls_of_a_sample():
    one = worker()
    ready = one.ready(CELL)
    before = len(CALLED)
    assert one.rehearse({**CELL, "untimed_seconds": 0.0}) == {}
    assert len(CALLED) - before == 1 + ready["inner_loops"]


def test_a_cell_is_watched_from_its_first_call_on():
    one = worker()
    one.ready(CELL)
    windows = one.watch({**CELL, "longest": 0.01})["windows"]
    ends = [end for end, _ in windows]
    assert ends == sorted(ends)
    assert ends[-1] >= 0.01
    assert all(seconds > 0 for _, seconds in windows)


def test_with_a_cold_cache_each_timed_call_comes_right_after_an_eviction(monkeypatch):
    swept = []
    monkeypatch.setattr(module, "_sweep", lambda size: swept.append((size, len(CALLED))))
    one = worker(cache="cold")
    ready = one.ready(CELL)
    assert (ready["inner_loops"], ready["cold"]) == (1, True)
    swept.clear()
    before = len(CALLED)
    one.sample(CELL)
    assert swept == [(2 * 2**20, before)]  # twice the cache, right before the call that is timed
    assert len(CALLED) == before + 1
    swept.clear()
    one.calls({**CELL, "count": 4, "untimed_seconds": 0.0})
    assert len(swept) == 4  # percentiles are of cold calls too


class Doubling(harness.Compiled):
    """Twice its input; wrong from some call on, and with a compiler of its own."""

    def __init__(self):
        self.calls, self.wrong_from, self.seen = 0, 10**9, []
        self.compile_seconds = 0.0

    def prepare(self, batch):
        self.compile_seconds += 0.5
        return batch.copy()

    def __call__(self, prepared):
        self.calls += 1
        self.seen.append(float(prepared[0, 0]))
        return 2 * prepared + (self.calls >= self.wrong_from)

    def device_seconds(self, prepared):
        return 1e-6


@pytest.fixture
def doubling(tmp_path, monkeypatch):
    """A worker with a contender whose artifact lies in a folder, and the contender."""
    batches = np.random.default_rng(0).standard_normal((4, 3, 6)).astype(np.float32)
    np.save(tmp_path / "inputs-3.npy", batches)
    np.save(tmp_path / "reference-3.npy", 2 * batches.astype(np.float64))
    compiled = Doubling()
    one = worker()
    one._specification = Specification(contender="doubling")
    monkeypatch.setattr(one, "_compile", lambda place, heads: compiled)
    return one, compiled, {"place": str(tmp_path), "heads": 5, "batch_size": 3, "model_bytes": 0}


def test_every_batch_that_calls_rotate_among_is_proved_and_timed(doubling):
    one, compiled, cell = doubling
    ready = one.ready(cell)
    assert ready["parity_error"] < 1e-6
    assert ready["row_error"] < 1e-6
    assert ready["compile_seconds"] == pytest.approx(0.5 * 5)  # four batches, and a row alone
    compiled.seen.clear()
    one.sample({**cell, "untimed_seconds": 0.0})
    assert len(set(compiled.seen)) == 4


def test_a_wrong_batch_that_is_not_the_first_is_seen(doubling, tmp_path):
    one, _, cell = doubling
    references = np.load(tmp_path / "reference-3.npy")
    references[2, 1, 4] += 1.0
    np.save(tmp_path / "reference-3.npy", references)
    with pytest.raises(ParityError, match="row 1"):
        one.ready(cell)


def test_an_audit_looks_at_another_batch_each_time(doubling):
    one, compiled, cell = doubling
    one.ready(cell)
    seen = []
    for _ in range(5):
        compiled.seen.clear()
        one.audit(cell)
        seen.append(list(compiled.seen))
    assert len({each[0] for each in seen}) == 4
    assert seen[4] == seen[0][:1]
    assert [len(each) for each in seen[1:]] == [1, 1, 1, 1]
    assert len(seen[0]) > 1  # the first time also with new queries
    assert seen[0][1] not in {each[0] for each in seen}
    compiled.wrong_from = 0
    with pytest.raises(ParityError, match="its own answer before the timing"):
        one.audit(cell)


def of_function(monkeypatch, **more):
    """A worker of functions of this test: by name in a module that is not there."""
    own = types.ModuleType("functions_of_a_test")
    for name, each in more.items():
        setattr(own, name, each)
    monkeypatch.setitem(sys.modules, "functions_of_a_test", own)
    callee = {name: Callee(label=name, module="functions_of_a_test", attribute=name) for name in more}
    kernel = Kernel(function=callee["function"], setup=callee["setup"], takes="input")
    how = Measurement(min_sample_seconds=0.0005, max_warm_up_seconds=0.05)
    specification = Specification(contender="function", function=kernel)
    settings = {"specification": specification.to_json(), "measurement": how.model_dump(mode="json")}
    return module.Worker({**settings, "last_level_cache_bytes": 2**20})


def test_the_output_of_a_function_after_the_timing_is_compared_with_the_one_before(monkeypatch):
    calls = []

    def forgets(numbers):
        calls.append(None)
        return sorted(numbers)[: 3 if len(calls) < 20 else 2]

    one = of_function(monkeypatch, function=forgets, setup=lambda n: list(range(n, 0, -1)))
    cell = {**CELL, "batch_size": 1}
    one.ready(cell)
    with pytest.raises(ParityError, match=r"its output changed during the timing: \[1, 2, 3\] before, \[1, 2\] after"):
        one.audit(cell)


def test_the_high_water_mark_is_reached_before_a_function_is_timed(monkeypatch):
    reached = []
    monkeypatch.setattr(module.HighWater, "reach", lambda _: reached.append(len(CALLED)))
    one = worker()
    one.ready(CELL)
    assert reached == [0]
    one.ready({**CELL, "place": "counted/6", "heads": 6})
    assert len(reached) == 2


def test_what_the_device_took_is_told_beside_what_calls_took(doubling):
    one, _, cell = doubling
    one.ready(cell)
    found = one.calls({**cell, "count": 3, "untimed_seconds": 0.0})
    assert len(found["seconds"]) == 3
    assert found["device_seconds"] == [1e-6] * 4


def test_a_function_that_cannot_be_imported_is_told():
    one = worker()
    one._specification = Specification(
        contender="x",
        function=Kernel(function=Callee(label="no_such_module:f", module="no_such_module", attribute="f")),
    )
    with pytest.raises(harness.ContenderError, match="cannot be imported"):
        one.ready({**CELL, "place": str(Path("no_such_module:f/5"))})
