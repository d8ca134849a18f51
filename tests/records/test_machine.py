"""What is read of the machine, and what makes two of them incomparable."""

from __future__ import annotations

import os
import stat

import pytest

from harness.records import machine

SAID = "NVIDIA A10, 23028 MiB, 550.54.15, 150.00 W, Enabled"


@pytest.fixture
def nvidia(tmp_path, monkeypatch):
    """A program of that name that says what a driver would."""

    def install(script):
        path = tmp_path / "nvidia-smi"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return install


def test_gpus_are_told_with_memory_and_driver(nvidia):
    nvidia(f'echo "{SAID}"; echo "{SAID}"')
    assert (
        machine.describe()["gpus"]
        == ["NVIDIA A10, 23028 MiB, driver 550.54.15, power limit 150.00 W, persistence mode enabled"] * 2
    )


def test_what_a_driver_does_not_tell_of_a_gpu_is_left_out(nvidia):
    nvidia('echo "NVIDIA A10, 23028 MiB, 550.54.15, [N/A], [N/A]"')
    assert machine.describe()["gpus"] == ["NVIDIA A10, 23028 MiB, driver 550.54.15"]


@pytest.mark.parametrize("script", ["echo 'No devices were found'; exit 6", "echo Failed to initialize NVML", "true"])
def test_a_driver_without_a_device_is_no_gpu(nvidia, script):
    nvidia(script)
    assert "gpus" not in machine.describe()


def test_another_gpu_is_another_machine():
    one = {"processor": "x", "memory_bytes": 1}
    assert machine.differences(one, {**one, "gpus": ["NVIDIA A10"]}) == ["gpus: unknown -> NVIDIA A10"]
    assert machine.differences(one, dict(one)) == []


def test_what_is_read_here_is_plausible():
    found = machine.describe()
    assert found["usable_cores"] >= 1
    assert found["memory_bytes"] > 2**28
    assert machine.last_level_cache_bytes({"caches": {"L1": 1, "L3": 7}}) == 7


def test_machines_of_which_nothing_is_known_do_not_differ():
    assert machine.differences({}, {}) == []
    assert machine.differences({}, {"memory_bytes": 2**30}) == ["memory: unknown -> 1.00 GiB"]


def test_the_load_is_that_of_the_last_minute(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (1.0, 5.0, 15.0))
    assert machine.describe()["load_average"] == 1.0
