"""What a device could do at best: on the processor for real, and with a clock and libraries that are made up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from harness.measure import roofline
from harness_plugins import device_rates as rates
from harness_plugins.eager import EagerRuntime


@pytest.fixture
def brief(monkeypatch):
    for name, value in (("SECONDS", 1e-4), ("REPEATS", 1), ("WARM_UP_SECONDS", 0.0), ("LAUNCHES", 5)):
        monkeypatch.setattr(rates, name, value)


def test_every_product_gets_a_rate(brief):
    found = rates.device_rates("cpu", [(2, 8, 16), (4, 384, 64)], [2**23, 2**24])
    assert set(found.products) == {(2, 8, 16), (4, 384, 64)}
    assert min(found.products.values()) > 0
    assert set(found.bytes_per_second) <= {2**23, 2**24}
    assert found.launch_seconds > 0
    assert found.synchronise_seconds >= 0


def test_a_size_that_does_not_fit_ends_the_list_and_other_errors_are_not_hidden(brief, monkeypatch):
    kernels = rates._kernels

    def refuse(torch, place, size):
        if size > 2**23:
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        return kernels(torch, place, size)

    monkeypatch.setattr(rates, "_kernels", refuse)
    assert list(rates.device_rates("cpu", [], [2**23, 2**24, 2**25]).bytes_per_second) == [2**23]

    def fail(torch, place, size):
        raise RuntimeError("an illegal instruction")

    monkeypatch.setattr(rates, "_kernels", fail)
    with pytest.raises(RuntimeError, match="illegal instruction"):
        rates.device_rates("cpu", [], [2**23])


def test_the_figures_follow_from_a_clock_on_which_everything_has_its_known_time(brief, monkeypatch):
    """A kernel starts in 3 us, waiting for one takes 5 us, a product runs at 1 TFLOP/s, and memory at 100 GB/s."""
    now = [0.0]

    def takes(seconds):
        def call(*_, **__):
            now[0] += seconds

        return call

    monkeypatch.setattr(rates, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(torch.cpu, "synchronize", takes(5e-6))
    monkeypatch.setattr(torch.Tensor, "add_", takes(3e-6))
    monkeypatch.setattr(torch, "mm", lambda left, right, out: takes(2.0 * out.numel() * left.shape[1] / 1e12)())
    monkeypatch.setattr(rates, "_kernels", lambda torch, place, size: [takes(size / 100e9), takes(size / 50e9)])
    monkeypatch.setattr(rates, "SECONDS", 1.0)
    monkeypatch.setattr(rates, "LAUNCHES", 100_000)
    found = rates.device_rates("cpu", [(32, 384, 1024)], [2**16, 2**20, 2**22])
    assert found.launch_seconds == pytest.approx(3e-6, rel=1e-3)
    assert found.synchronise_seconds == pytest.approx(5e-6, rel=1e-3)
    assert found.products[32, 384, 1024] == pytest.approx(1e12, rel=1e-2)
    assert found.bytes_per_second == pytest.approx({2**22: 100e9}, rel=1e-2)  # 10 us of 2**20 are not four launches


def test_what_a_runtime_measures_is_recorded_and_the_best_of_two_libraries_counts(monkeypatch):
    found = rates.harness.DeviceRates(
        products={(1, 2, 3): 5.0}, bytes_per_second={64: 2.0}, launch_seconds=3e-6, synchronise_seconds=5e-6
    )
    monkeypatch.setattr("harness_plugins.eager.device_rates", lambda device, shapes, sizes, tf32: found)
    one = roofline.device_rates(EagerRuntime(), "cuda", [(1, 2, 3)], [64])
    assert one == {
        "products": [(1, 2, 3, 5.0)], "flops_per_second": {"1": 5.0}, "bytes_per_second": {"64": 2.0},
        "launch_seconds": 3e-6, "synchronise_seconds": 5e-6,
    }  # fmt: skip
    other = {**one, "products": [(1, 2, 3, 6.0)], "launch_seconds": 2e-6, "synchronise_seconds": 7e-6}
    best = roofline.best_device_rates([one, other])
    assert best["flops_per_second"] == {"1": 6.0}
    assert (best["launch_seconds"], best["synchronise_seconds"]) == (2e-6, 5e-6)
    assert roofline.best_device_rates([]) == {}


def test_a_runtime_that_measures_nothing_adds_nothing():
    from harness_plugins.onnxruntime import OnnxRuntime

    assert roofline.device_rates(OnnxRuntime(), "cuda", [(1, 2, 3)], [64]) == {}
