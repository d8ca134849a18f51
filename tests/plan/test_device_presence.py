"""A device and threads for each contender: names, what a process sees, and what is skipped where a device is absent."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.errors import SuiteError
from harness.measure.pool import worker_environment
from harness.plan.check import check_suite
from harness.plan.plan import plan as planned
from harness.plan.specification import Specification
from harness.records.reader import read
from harness.suite.devices import kind_of, number_of, visible
from harness.suite.loading import load
from tests.command_line import called

PLUGIN = Path(__file__).parents[1] / "fixtures" / "plugins" / "elsewhere.py"


def written(folder: Path, **more) -> Path:
    """A contender on the processor with one and with two threads, and two on devices that may be absent."""
    own = {"projector": "sum-of-answers", "runtime": "elsewhere"}
    suite = {
        "name": "places",
        "plugins": [str(PLUGIN)],
        "source": {"use": "eight-wide"},
        "heads": {"from": 2, "to": 64, "points": 2},
        "batch_sizes": [2],
        "contenders": {
            "here": own,
            "here-2": {**own, "threads": 2},
            "there": {**own, "device": "imagined"},
            "further": {**own, "device": "imagined:1"},
        },
        "races": [
            {"name": "threads", "baseline": "here", "challenger": "here-2"},
            {"name": "device", "baseline": "here", "challenger": "there", "transfers": "excluded"},
        ],
        "measurement": {
            "launches": 2,
            "rounds": 2,
            "min_sample_seconds": 0.0003,
            "max_warm_up_seconds": 0.05,
            "latency_calls": 5,
            "self_check": False,
        },
        "search": {"budget_samples": 40, "regret": False},
        **more,
    }
    path = folder / "places.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def test_a_device_has_a_kind_and_a_number():
    assert [(kind_of(each), number_of(each)) for each in ("cpu", "cuda", "cuda:1")] == [
        ("cpu", 0),
        ("cuda", 0),
        ("cuda", 1),
    ]


@pytest.mark.parametrize(
    ("device", "given", "seen"),
    [
        ("cuda", {}, "0"),
        ("cuda:1", {}, "1"),
        ("cuda:1", {"CUDA_VISIBLE_DEVICES": "3, 5"}, "5"),
        ("cuda:2", {"CUDA_VISIBLE_DEVICES": "3,5"}, ""),
        ("cuda", {"CUDA_VISIBLE_DEVICES": ""}, ""),
    ],
)
def test_a_worker_sees_its_own_device_and_no_other(device, given, seen):
    found = visible(device, given)
    assert found["CUDA_VISIBLE_DEVICES"] == seen
    assert found["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"  # as nvidia-smi numbers them


def test_a_processor_hides_nothing():
    assert visible("cpu", {}) == {}


def test_a_workers_environment_has_its_threads_and_its_device():
    found = worker_environment(Specification(contender="one", threads=3, device="cuda:1"))
    assert found["OMP_NUM_THREADS"] == "3"
    assert found["OMP_WAIT_POLICY"] == "PASSIVE"
    assert "CUDA_VISIBLE_DEVICES" in found


def test_contenders_have_devices_and_threads_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGINED_DEVICES", "2")
    loaded = load(written(tmp_path))
    plan = planned(loaded, check_suite(loaded))
    found = {name: (each.device, each.device_kind, each.threads) for name, each in plan.specifications.items()}
    assert found == {
        "here": ("cpu", "cpu", 1),
        "here-2": ("cpu", "cpu", 2),
        "there": ("imagined", "imagined", 1),
        "further": ("imagined:1", "imagined", 1),
    }
    assert {each.training_threads for each in plan.specifications.values()} == {1}
    assert not plan.absent


def test_a_device_that_is_absent_skips_its_contenders_and_their_races_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGINED_DEVICES", "1")
    found = check_suite(load(written(tmp_path)))
    assert found.absent == {"further": "the device imagined:1 is absent: 1 are imagined, and none of number 1"}
    assert {case.race for case in found.sweep.cases} == {"threads", "device"}
    monkeypatch.setenv("IMAGINED_DEVICES", "0")  # no answer of the last time is remembered
    found = check_suite(load(written(tmp_path)))
    assert {case.race for case in found.sweep.cases} == {"threads"}
    assert {each.cell.contender for each in found.sweep.skipped} == {"there", "further"}
    assert "skipped: there (the device imagined is absent: 0 are imagined, and none of number 0)" in found.notes
    assert "the race 'device' is skipped: it needs 'there'" in found.notes


def test_a_suite_of_which_nothing_can_run_is_refused(tmp_path):
    with pytest.raises(SuiteError, match="the device imagined is absent"):
        check_suite(load(written(tmp_path), only=["there"]))


def test_a_kind_of_device_that_a_runtime_does_not_know_is_a_mistake(tmp_path):
    path = written(
        tmp_path,
        contenders={"one": {"projector": "sum-of-answers", "runtime": "elsewhere", "device": "cuda"}},
        races=[],
    )
    with pytest.raises(SuiteError, match=r"contenders.one.device: the runtime 'elsewhere' does not run on cuda"):
        check_suite(load(path))


def test_a_limit_of_the_address_space_is_refused_with_another_device(tmp_path):
    path = written(tmp_path, measurement={"memory_limit_bytes": 2**33})
    with pytest.raises(SuiteError, match="a limit of the address space does not work with imagined"):
        check_suite(load(path))


def test_the_part_that_can_run_runs_and_the_exit_code_is_0(tmp_path):
    done = called("run", written(tmp_path), "--output", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    evidence = read(tmp_path / "out")
    assert {each.contender for each in evidence.measurements} == {"here", "here-2"}
    assert {each.device for each in evidence.measurements} == {"cpu"}
    assert {each.settings["host_memory"] for each in evidence.measurements} == {"imagined"}
    assert "the device imagined is absent" in done.stdout
    report = (tmp_path / "out" / "report.md").read_text()
    assert "here-2 (cpu, 2 threads)" in report
    assert "do not spin" in report
