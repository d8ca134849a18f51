"""Names of devices, and which of them a process sees."""

from __future__ import annotations

import pytest

from harness.suite.devices import kind_of, number_of, visible


@pytest.mark.parametrize(
    ("device", "kind", "number"), [("cpu", "cpu", 0), ("cuda", "cuda", 0), ("cuda:12", "cuda", 12)]
)
def test_a_name_is_a_kind_and_a_number(device, kind, number):
    assert (kind_of(device), number_of(device)) == (kind, number)


@pytest.mark.parametrize(
    ("device", "environment", "wanted"),
    [
        ("cpu", {}, {}),
        ("cuda:1", {}, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "1"}),
        (
            "cuda:1",
            {"CUDA_VISIBLE_DEVICES": "4, ,7"},
            {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "7", "HIP_VISIBLE_DEVICES": "1"},
        ),
        (
            "cuda:2",
            {"CUDA_VISIBLE_DEVICES": "4,7", "HIP_VISIBLE_DEVICES": "0,1,5"},
            {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "5"},
        ),
        ("xpu", {}, {"ZE_AFFINITY_MASK": "0"}),
        ("imagined:3", {}, {}),
    ],
)
def test_a_process_sees_one_of_the_devices_that_it_may_see(device, environment, wanted):
    assert visible(device, environment) == wanted
