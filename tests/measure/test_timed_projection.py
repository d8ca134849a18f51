"""Ways of calling, on a device that exists in numbers only: what is timed is what its costs say, and so is N*."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

import harness
from harness.measure import calibration
from harness.measure.timed_projection import TimedProjection
from harness.search import locate

_PATH = Path(__file__).parents[1] / "fixtures" / "plugins" / "elsewhere.py"
_SPEC = importlib.util.spec_from_file_location("elsewhere_of_tests", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
elsewhere = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(elsewhere)

WAYS = [(transfers, mode) for transfers in ("excluded", "included") for mode in ("latency", "pipelined")]
BATCH = np.ones((4, 8), dtype=np.float32)
COSTS = elsewhere.Options(
    launch_seconds=3e-5, call_seconds=2e-5, head_seconds=2e-9, transfer_seconds=1e-4, bytes_per_second=1e7,
    synchronise_seconds=1e-5,
)  # fmt: skip
HOST_HEAD_SECONDS = 4e-8  # of a rival on the processor, for each head
LOOPS = 64


class Clock:
    """A clock that only moves when something is waited for."""

    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time

    def wait_until(self, moment):
        self.time = max(self.time, moment)


def on_device(heads, clock, options=COSTS):
    return elsewhere.OnDevice(lambda queries: queries + 1, heads, elsewhere.Device(options, clock))


class OnHost(harness.Compiled):
    """A contender of the processor: nothing but a call."""

    def __init__(self, heads, clock):
        self.heads, self.clock = heads, clock

    def __call__(self, prepared):
        self.clock.wait_until(self.clock.now() + self.heads * HOST_HEAD_SECONDS)
        return prepared


def timed(compiled, clock, transfers, mode, loops=LOOPS):
    """Seconds a call, as a sample of the harness measures them."""
    calling = TimedProjection(compiled, transfers, mode)
    rotation = calibration.Rotation([calling.prepare(BATCH)])
    how = calibration.Calibration(
        inner_loops=loops, call_seconds=1e-5, overhead_seconds=0.0, single_overhead_seconds=0.0, warm_up_calls=0,
        clock_step_seconds=1e-9, settled=True,
    )  # fmt: skip
    return calibration.sample(calling.timed, rotation, how, clock.now, 1e-4)


def expected(heads, transfers, mode, loops=LOOPS):
    """Seconds a call, by the costs alone."""
    copies = 2 * (COSTS.transfer_seconds + BATCH.nbytes / COSTS.bytes_per_second) if transfers == "included" else 0.0
    work = COSTS.call_seconds + heads * COSTS.head_seconds + copies
    if mode == "latency":
        return COSTS.launch_seconds + work + COSTS.synchronise_seconds
    hidden = min(COSTS.launch_seconds, work)  # behind the other of the two, for all calls but one
    return (loops * (COSTS.launch_seconds + work - hidden) + hidden + COSTS.synchronise_seconds) / loops


@pytest.mark.parametrize(("transfers", "mode"), WAYS)
@pytest.mark.parametrize("heads", [1, 1000, 1_000_000])
def test_what_is_timed_is_what_launches_transfers_and_work_cost(heads, transfers, mode):
    clock = Clock()
    assert timed(on_device(heads, clock), clock, transfers, mode) == pytest.approx(
        expected(heads, transfers, mode), rel=1e-6
    )


@pytest.mark.parametrize(("transfers", "mode"), WAYS)
def test_the_crossover_is_found_where_the_costs_say_20_of_20(transfers, mode):
    def difference(heads):
        return heads * HOST_HEAD_SECONDS - expected(heads, transfers, mode)

    low, high = 1, 1_000_000
    truth = next(n for n in np.geomspace(low, high, 20_000) if difference(n) > 0)
    for seed in range(20):
        noise = np.random.default_rng([seed, 5])

        def measure(heads, rounds, launch, noise=noise):
            clock = Clock()
            rivals = OnHost(heads, clock), on_device(heads, clock)
            plain = [timed(each, clock, transfers, mode) for each in rivals]
            return [
                tuple(seconds * math.exp(0.03 * noise.standard_normal()) for seconds in plain) for _ in range(rounds)
            ]

        (crossing,) = locate(measure, low, high, seed=seed).crossings
        assert crossing.direction == "challenger"
        assert crossing.heads == pytest.approx(truth, rel=0.1)


def test_the_four_crossovers_lie_apart():
    found = {}
    for way in WAYS:
        grid = np.geomspace(1, 1_000_000, 20_000)
        found[way] = next(n for n in grid if n * HOST_HEAD_SECONDS > expected(n, *way))
    assert found["included", "latency"] > 3 * found["excluded", "latency"]
    assert found["excluded", "latency"] > 1.4 * found["excluded", "pipelined"]


def test_on_a_cpu_latency_and_pipelined_calls_take_the_same():
    clock = Clock()
    seconds = [timed(OnHost(1000, clock), clock, "excluded", mode) for mode in ("latency", "pipelined")]
    assert seconds[0] == pytest.approx(seconds[1], rel=1e-9)


def test_the_usual_way_calls_the_compiled_projection_itself():
    compiled = OnHost(3, Clock())
    assert TimedProjection(compiled).timed is compiled  # nothing of the harness is on the clock


@pytest.mark.parametrize(("transfers", "mode"), WAYS)
def test_what_is_proved_is_what_is_timed(transfers, mode):
    calling = TimedProjection(on_device(3, Clock()), transfers, mode)
    np.testing.assert_array_equal(calling.answer(calling.prepare(BATCH)), BATCH + 1)


def test_a_runtime_that_knows_nothing_of_staging_is_timed_from_array_to_array():
    class Plain(harness.Compiled):
        def prepare(self, batch):
            return batch * 2

        def __call__(self, prepared):
            return prepared + 1

        def result(self, output):
            return output.astype(np.float32)

    calling = TimedProjection(Plain(), "included")
    np.testing.assert_array_equal(calling.timed(calling.prepare(BATCH)), BATCH * 2 + 1)


def test_untimed_calls_leave_no_queue_behind():
    clock = Clock()
    compiled = on_device(1000, clock)
    calling = TimedProjection(compiled, "excluded", "pipelined")
    calibration.untimed(calling.timed, calibration.Rotation([BATCH]), clock.now, 1e-3)
    assert compiled.device.idle_from <= clock.now()
