"""What NVIDIA's driver says of a GPU, from a driver that is made up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.measure.gpus import Gpus, State, doubts, watched
from harness.plan.sweep import Cell
from harness.records.measurement import THROTTLED, Measurement
from harness.run import bench


class Nvml:
    """The module `pynvml`."""

    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0

    class NVMLError(Exception):
        pass

    def __init__(self, reasons=0):
        self.reasons = reasons
        self.asked: list[object] = []

    def nvmlDeviceGetHandleByIndex(self, number):  # noqa: N802
        self.asked.append(number)
        if number > 1:
            raise self.NVMLError
        return number

    def nvmlDeviceGetHandleByUUID(self, name):  # noqa: N802
        self.asked.append(name)
        return 0

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle):  # noqa: N802 - an older driver's name
        return self.reasons

    def nvmlDeviceGetPowerUsage(self, handle):  # noqa: N802
        return 61_500

    def nvmlDeviceGetClockInfo(self, handle, kind):  # noqa: N802
        assert kind == self.NVML_CLOCK_SM
        return 1410

    def nvmlDeviceGetTemperature(self, handle, sensor):  # noqa: N802
        raise self.NVMLError

    def nvmlDeviceGetComputeRunningProcesses(self, handle):  # noqa: N802
        return [SimpleNamespace(pid=7, usedGpuMemory=2**30), SimpleNamespace(pid=8, usedGpuMemory=None)]


def test_what_the_driver_knows_is_told_in_units_and_what_it_does_not_is_left_out():
    found = Gpus(Nvml(reasons=0x01 | 0x04 | 0x40), {}).state("cuda")
    assert found.to_json() == {
        "sm_clock_mhz": 1410,
        "power_watts": 61.5,
        "throttled": ("power cap", "hardware thermal slowdown"),
        "processes": (7, 8),
        "used_bytes": {"7": 2**30},
    }


@pytest.mark.parametrize(
    ("device", "environment", "asked"),
    [
        ("cuda:1", {}, 1),
        ("cuda:1", {"CUDA_VISIBLE_DEVICES": "1,0"}, 0),
        ("cuda", {"CUDA_VISIBLE_DEVICES": "GPU-5a"}, "GPU-5a"),
    ],
)
def test_the_driver_is_asked_about_the_device_that_the_worker_sees(device, environment, asked):
    library = Nvml()
    Gpus(library, environment).state(device)
    assert library.asked == [asked]


def test_a_device_that_the_driver_does_not_know_says_nothing():
    assert Gpus(Nvml(), {}).state("cuda:5") == State()


def test_an_idle_gpu_is_not_throttled():
    assert Gpus(Nvml(reasons=0x01 | 0x02), {}).state("cuda").throttled == ()


def test_nothing_is_asked_where_no_contender_is_on_a_gpu():
    assert watched(["cpu", "imagined"]) is None


def test_throttling_and_other_processes_are_doubts():
    calm, slowed = State(processes=(7,)), State(throttled=("power cap",), processes=(7, 9))
    assert list(doubts(calm, slowed, own={7})) == [
        "the GPU was throttled (power cap)",
        "1 other process used the GPU",
    ]
    assert list(doubts(calm, calm, own={7})) == []
    assert list(doubts(State(processes=(7, 9)), calm, own={1})) == []  # a container's numbers are not the driver's


def record(contender):
    return Measurement(
        key="", contender=contender, heads=1, batch_size=1, purpose="table", visit=1, launch=1, outcome="measured"
    )


@pytest.mark.parametrize(("slow_visits", "visits"), [(0, 1), (1, 2), (5, 3)])
def test_a_throttled_visit_is_made_again_twice_at_the_most(slow_visits, visits, monkeypatch):
    """The states come in pairs, before and after; the first visits are throttled."""
    told = iter([State(throttled=("power cap",) if number < 2 * slow_visits else ()) for number in range(2 * visits)])
    stored: list[Measurement] = []
    one = object.__new__(bench.Bench)
    specification = SimpleNamespace(device="cuda", device_kind="cuda", tolerance=1e-4)
    one._plan = SimpleNamespace(specifications={"there": specification})
    one._gpus = SimpleNamespace(state=lambda device: next(told))
    one._launch = SimpleNamespace(process_ids={7}, number=1)
    one._visits, one._generator, one.failed = 0, None, {}
    one._store = SimpleNamespace(append=lambda *records: stored.extend(records))
    one._listener = SimpleNamespace(recorded=lambda each: None, say=lambda text: None)
    one._reach = SimpleNamespace(learn=lambda each: None)
    one._left = lambda: 1.0
    one.unchecked = set()
    monkeypatch.setattr(bench.Bench, "key", lambda self, cell: "key")
    monkeypatch.setattr(bench, "visit", lambda *_, **__: [record("there")])
    (last,) = one.visit([Cell(contender="there", heads=1, batch_size=1)], 1, "table")
    assert len(stored) == visits
    assert [each.reason for each in stored[:-1]] == [THROTTLED] * (visits - 1)
    assert all(each.interrupted for each in stored[:-1])
    assert last.outcome == "measured"
    assert ("the GPU was throttled (power cap)" in last.warnings) == (slow_visits >= visits)
